"""Makes what a plan names, day by day; a run that was cut off is gone on with by the plan that it left."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import groupby

from pipelines.changing.receipt import write_receipt
from pipelines.compaction.merging import merge as merged_rows
from pipelines.compaction.merging import sorter
from pipelines.compaction.plan import Merge
from transforms.core import storage
from transforms.core.chains.chain import record_change
from transforms.core.keys.signing import Signer
from transforms.core.output.claim import check_held
from transforms.core.output.compacted import Compacted, record_name, save_day
from transforms.core.output.layout import COMPACTED_FOLDER, WRITING_FOLDER, Output, parse_name, path_in_output
from transforms.core.storage.exchanging import (
    bring_back,
    is_in_place,
    put_file,
    put_in_place_of,
    remove_folder,
)

JOB = "compact"
_RECEIPTS = "receipts"
_STAGING, _SCRATCH = "compacting", "sorting"


def finish(output: Output, signer: Signer | None, merges: Sequence[Merge], checksum: str) -> str:
    """Puts together what the plan names and is not yet, writes the receipt and signs; returns the receipt's path.

    The caller holds the claim. Raises StorageUnavailable, OutputInUse; KeyUnavailable where the output is signed and
    there is no signer.
    """
    for day, of_day in groupby(merges, key=lambda merge: merge.day):
        _finish_day(output, day, [*of_day])
    facts, receipt = _facts(merges), storage.join(COMPACTED_FOLDER, _RECEIPTS, f"{checksum}.json")
    told = {"checksum": checksum, "finished_at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    write_receipt(output, output.beside(receipt), told)
    put, removed = _paths(merges)
    record_change(output, signer, JOB, [receipt, *put], removed, facts)
    return output.beside(receipt)


def _finish_day(output: Output, day: date, merges: Sequence[Merge]) -> None:
    """First all files of the day are made, then each dataset's take their place, one after the other.

    The record is written before the first of them does, and once more when all have.
    """
    for merge in merges:
        bring_back(_staging(output, merge), output.partition(merge.dataset, day))
        if not is_in_place(output.partition(merge.dataset, day), [*merge.into]):
            _make(output, merge)
    records = Compacted(output).of_day(day)
    save_day(output, day, {**records, **{merge.dataset: merge.merged(is_over=False) for merge in merges}})
    for merge in merges:
        check_held(output)
        folder = output.partition(merge.dataset, day)
        put_in_place_of(_staging(output, merge), [*merge.into], folder, [*merge.before])
    save_day(output, day, {**records, **{merge.dataset: merge.merged(is_over=True) for merge in merges}})


def _make(output: Output, merge: Merge) -> None:
    """Writes the files that come beside the datasets."""
    check_held(output)
    staging = _staging(output, merge)
    remove_folder(staging)
    files = [output.file(merge.dataset, merge.day, name) for name in map(parse_name, merge.before) if name is not None]
    with _scratch(output) as scratch, sorter(output, scratch) as connection:
        merged_rows(
            connection, merge.dataset, files, {os.path.join(scratch, n): rows for n, rows in merge.into.items()}
        )
        for name in merge.into:
            put_file(os.path.join(scratch, name), storage.join(staging, name))


@contextmanager
def _scratch(output: Output) -> Iterator[str]:
    """A folder for what is sorted; on the output's own disk where it is local, so that a file is moved from there."""
    if not storage.is_local(output.path):
        with tempfile.TemporaryDirectory(prefix="telemetry-") as folder:
            yield folder
        return
    folder = storage.local_path(output.beside(WRITING_FOLDER, _SCRATCH))
    storage.remove_tree(folder)  # of a run that was killed
    os.makedirs(folder)
    try:
        yield folder
    finally:
        storage.remove_tree(folder)


def _staging(output: Output, merge: Merge) -> str:
    return output.beside(WRITING_FOLDER, _STAGING, path_in_output(merge.dataset, merge.day))


def _facts(merges: Sequence[Merge]) -> dict[str, str | int]:
    """How much was put together, and nothing of a row."""
    return {
        "first_day": min(m.day for m in merges).isoformat(),
        "last_day": max(m.day for m in merges).isoformat(),
        "files_before": sum(len(m.before) for m in merges),
        "files_after": sum(len(m.into) for m in merges),
        "rows": sum(sum(m.before.values()) for m in merges),
        "size_bytes_before": sum(m.size_bytes for m in merges),
    }


def _paths(merges: Sequence[Merge]) -> tuple[list[str], list[str]]:
    """Paths in the output of what was put there, records included, and of what was removed."""
    put = [path_in_output(merge.dataset, merge.day, name) for merge in merges for name in merge.into]
    removed = [path_in_output(merge.dataset, merge.day, name) for merge in merges for name in merge.before]
    return [*put, *{record_name(merge.day) for merge in merges}], removed
