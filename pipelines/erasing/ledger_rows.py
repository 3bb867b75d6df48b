"""Ledger rows of files that lost rows: how many, and what the files are now."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from pipelines.erasing.plan import Touched
from schemas.registry import load
from transforms.core import storage
from transforms.core.chains.chain import put_file
from transforms.core.chains.run_manifest import PutFile
from transforms.core.chains.vouched import mark_day_of, vouched_row
from transforms.core.output.compacted import is_compacted, record_name, set_rows
from transforms.core.output.layout import LEDGER, FileName, Output, path_in_output
from transforms.core.output.ledger import read_row
from transforms.core.output.parquet import parquet_bytes

Removed = Mapping[tuple[date, str], Mapping[str, int]]
"""Day and name of files -> dataset -> rows that have been taken out of its file by now, earlier changes included."""


def write_removed(output: Output, removed: Removed, known: Mapping[str, PutFile]) -> list[str]:
    """Writes these ledger rows anew; returns their paths in the output. `known` are files that need not be read again.

    Of a window the mark comes last: it tells what its rows of other days are. Writing it all again changes nothing.
    """
    written = []
    days_of: dict[str, list[date]] = defaultdict(list)
    for day, name in removed:
        days_of[name].append(day)
    for name, days in sorted(days_of.items()):
        digests = {
            day: _write(output, day, name, _facts(output, day, name, removed[day, name], known), removed[day, name], {})
            for day in sorted(days)
        }
        written += [path_in_output(LEDGER, day, name) for day in sorted(days)]
        written += _tell_mark(output, name, digests)
    return written


def _facts(
    output: Output, day: date, name: str, datasets: Iterable[str], known: Mapping[str, PutFile]
) -> dict[str, PutFile | None]:
    """What the files of these datasets are now; None where one is gone."""
    paths = {dataset: path_in_output(dataset, day, name) for dataset in datasets}
    return {
        dataset: known.get(path) or (put_file(output, path) if storage.exists(output.beside(path)) else None)
        for dataset, path in paths.items()
    }


def _write(
    output: Output, day: date, name: str, now: Mapping[str, PutFile | None], removed: Mapping[str, int],
    rows_of_window: Mapping[date, str],
) -> str:  # fmt: skip
    """Returns the digest of the file."""
    path = storage.join(output.partition(LEDGER, day), name)
    row = read_row(path) or {}
    row["removed_rows"] = sorted({**dict(row.get("removed_rows") or ()), **removed}.items())
    told: dict[str, dict[str, Any]] = {
        column: {k: v for k, v in row.get(column) or () if k not in now} for column in ("file_digests", "file_bytes")
    }
    for dataset, file in now.items():
        if file is not None:
            told["file_digests"][dataset], told["file_bytes"][dataset] = file.sha256, file.size_bytes
    for of_day, digest in rows_of_window.items():
        told["file_digests"][vouched_row(of_day)] = digest
    row |= {column: sorted(values.items()) for column, values in told.items()}
    data = parquet_bytes(LEDGER, pa.Table.from_pylist([row], schema=load(LEDGER).arrow), None)
    output.write(path, data)
    return hashlib.sha256(data).hexdigest()


def _tell_mark(output: Output, name: str, digests: Mapping[date, str]) -> list[str]:
    """Where the mark of a window vouches for ledger rows of other days, it says what they are now."""
    day = mark_day_of(name)
    if day is None:
        return []
    others = {of_day: digest for of_day, digest in digests.items() if of_day != day}
    if not others or not storage.exists(storage.join(output.partition(LEDGER, day), name)):
        return []
    _write(output, day, name, {}, {}, others)
    return [path_in_output(LEDGER, day, name)]


def removed_before(output: Output, places: Iterable[tuple[date, FileName]]) -> dict[tuple[date, str], dict[str, int]]:
    """What these ledger rows say was taken out before."""
    found = {}
    for day, name in places:
        path = storage.join(output.partition(LEDGER, day), str(name))
        row = read_row(path, ["removed_rows"]) if storage.exists(path) else None
        if row is not None:
            found[day, str(name)] = dict(row.get("removed_rows") or ())
    return found


def write_compacted(output: Output, files: Iterable[Touched]) -> list[str]:
    """Records of compacted days say how many rows their files hold now; returns their paths in the output."""
    days = set()
    for file in files:
        place = file.file(output)
        if is_compacted(place.name):
            set_rows(output, place.day, place.dataset, place.name, file.rows_after)
            days.add(place.day)
    return [record_name(day) for day in sorted(days)]
