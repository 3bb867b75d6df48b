"""Deletes what a plan names; a run that was cut off is gone on with by the record that it left."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from schemas.registry import contract_digest
from transforms.core import storage
from transforms.core.output.claim import check_held
from transforms.core.output.expired import Expired, Pending
from transforms.core.output.layout import EXPIRED_FOLDER, WRITING_FOLDER, Output

_GOING = "expired-days"
_REMOVERS = 8


def finish(output: Output, record: Expired) -> str:
    """Deletes what is pending, writes the receipt, and closes the record; returns the receipt's path.

    The caller holds the claim. What is gone already is no matter. Raises StorageUnavailable, OutputInUse.
    """
    assert record.pending is not None
    storage.remove_tree(output.beside(WRITING_FOLDER, _GOING))  # a day that a killed run had moved there
    storage.sweep(output.beside(WRITING_FOLDER))  # files that a killed job left half written may hold old rows
    _delete(output, record.pending.paths)
    path = _write_receipt(output, record.pending)
    Expired(through=record.through, inputs=record.inputs).save(output)
    return path


def _delete(output: Output, paths: Sequence[str]) -> None:
    with ThreadPoolExecutor(1 if storage.is_local(output.path) else _REMOVERS, "remove") as removers:
        for folder, of_folder in groupby(paths, key=lambda path: path.rpartition("/")[0]):
            check_held(output)
            files = [path.rpartition("/")[2] for path in of_folder]
            if not _went_as_one(output, folder, files):
                list(removers.map(storage.remove, [output.beside(folder, name) for name in files]))
                storage.remove_empty(output.beside(folder))


def _went_as_one(output: Output, folder: str, files: Sequence[str]) -> bool:
    """Takes a local day away with one rename, where all of it goes: a reader sees all of its rows or none."""
    path = output.beside(folder)
    there = {*storage.list_sizes(path), *storage.list_folders(path)} if storage.is_local(path) else {"elsewhere"}
    if not there or there - {*files}:
        return False
    return storage.remove_at_once(path, output.beside(WRITING_FOLDER, _GOING))


def _write_receipt(output: Output, pending: Pending) -> str:
    """The same name whenever it is written again. Says how much was deleted, and nothing of a row."""
    path = output.beside(EXPIRED_FOLDER, f"{pending.as_of.isoformat()}-{pending.checksum}.json")
    told = {
        "as_of": pending.as_of.isoformat(),
        "checksum": pending.checksum,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "contract": contract_digest(),
        "files": len(pending.paths),
        "datasets": msgspec.to_builtins(pending.datasets),
    }
    if not storage.exists(path):
        output.write(path, (json.dumps(told, indent=1) + "\n").encode())
    return path
