"""Deletes what a plan names; a run that was cut off is gone on with by the record that it left."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from pipelines.changing.receipt import write_receipt
from pipelines.retention.plan import Expiry
from schemas.registry import contract_digest
from transforms.core import storage
from transforms.core.chains.chain import record_change
from transforms.core.keys.signing import Signer
from transforms.core.output.claim import check_held
from transforms.core.output.expired import RECORD, Expired
from transforms.core.output.layout import EXPIRED_FOLDER, WRITING_FOLDER, Output
from transforms.core.output.unfinished import Unfinished

_GOING = "expired-days"
_REMOVERS = 8


def finish(output: Output, unfinished: Unfinished, signer: Signer | None = None) -> str:
    """Notes what has expired, deletes it, writes the receipt, and signs it all; returns the receipt's path.

    The caller holds the claim. What is gone already is no matter. Raises StorageUnavailable, OutputInUse,
    KeyUnavailable where the output is signed and there is no signer.
    """
    expiry = unfinished.payload_as(Expiry)
    expiry.expired.save(output)
    storage.remove_tree(output.beside(WRITING_FOLDER, _GOING))  # a day that a killed run had moved there
    storage.sweep(output.beside(WRITING_FOLDER))  # files that a killed job left half written may hold old rows
    _delete(output, expiry.paths)
    receipt = _receipt(output, expiry, unfinished.checksum)
    facts = {"files": len(expiry.paths)}
    put = [RECORD, f"{EXPIRED_FOLDER}/{receipt.rpartition('/')[2]}"]
    record_change(output, signer, unfinished.job, put, expiry.paths, facts)
    return receipt


def note(output: Output, expired: Expired, signer: Signer | None = None) -> None:
    """Notes what has expired where nothing is to be deleted: an old input brings nothing back all the same."""
    expired.save(output)
    record_change(output, signer, "expire", [RECORD], [], {"files": 0})


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


def _receipt(output: Output, expiry: Expiry, checksum: str) -> str:
    """The same name whenever it is written again. Says how much was deleted, and nothing of a row."""
    path = output.beside(EXPIRED_FOLDER, f"{expiry.as_of.isoformat()}-{checksum}.json")
    told = {
        "as_of": expiry.as_of.isoformat(),
        "checksum": checksum,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "contract": contract_digest(),
        "files": len(expiry.paths),
        "datasets": msgspec.to_builtins(expiry.datasets),
    }
    return write_receipt(output, path, told)
