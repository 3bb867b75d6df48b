"""Parquet files that somebody may have made to harm their reader: looked at before anything of them is believed.

Without manifests nobody vouches for a file, and its rows have to be counted all the same.
"""

import os
import stat
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.core import storage
from transforms.core.output.layout import DataFile
from transforms.core.output.ledger import Mark, mark_of

_MOST_FOOTER_BYTES = 16 * 1024 * 1024
_MOST_LEDGER_BYTES = 16 * 1024 * 1024
_LIMITS = {"thrift_string_size_limit": 4 * 1024 * 1024, "thrift_container_size_limit": 200_000}
_MAGIC, _TAIL_BYTES = b"PAR1", 8

_UNREADABLE = (pa.ArrowException, OSError, ValueError, IndexError, KeyError, TypeError, MemoryError, OverflowError)


class Harmful(Exception):
    """What is wrong with a file, in a few words for people."""


def footer_rows(path: str) -> int:
    """The rows that a file's footer tells; raises Harmful where it is none that a writer of ours makes."""
    with _opened(path) as file:
        _check_footer(file)
        try:
            return int(pq.ParquetFile(file, **_LIMITS).metadata.num_rows)
        except _UNREADABLE:
            raise Harmful("its footer cannot be read") from None


def ledger_mark(file: DataFile) -> Mark:
    """A ledger row; raises Harmful where the file does not hold exactly one small row with the ledger's columns."""
    with _opened(file.path) as opened:
        size_bytes = _check_footer(opened)
        if size_bytes > _MOST_LEDGER_BYTES:
            raise Harmful(f"it has {size_bytes:,} bytes, more than any ledger row")
        try:
            metadata = pq.ParquetFile(opened, **_LIMITS).metadata
            told_bytes = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
        except _UNREADABLE:
            raise Harmful("its footer cannot be read") from None
        if metadata.num_rows != 1 or not 0 <= told_bytes <= _MOST_LEDGER_BYTES:
            raise Harmful(f"it tells {metadata.num_rows:,} rows of {told_bytes:,} bytes, where one row must be")
        opened.seek(0)
        try:
            mark = mark_of(file, opened.read())
            dict(mark.row["rows"] or ())
        except _UNREADABLE:
            raise Harmful("its row cannot be read") from None
    return mark


def _opened(path: str) -> Any:
    """The file, unless it is a local link or pipe, which might lead elsewhere or never end."""
    if storage.is_local(path) and not stat.S_ISREG(os.lstat(storage.local_path(path)).st_mode):
        raise Harmful("it is a link, a pipe or a device, no file")
    return storage.open_read(path)


def _check_footer(file: Any) -> int:
    """The size of the file; raises Harmful where it does not end as a Parquet file does."""
    size_bytes = int(file.seek(0, os.SEEK_END))
    if size_bytes < len(_MAGIC) + _TAIL_BYTES:
        raise Harmful("it is cut off")
    file.seek(size_bytes - _TAIL_BYTES)
    tail = file.read(_TAIL_BYTES)
    footer_bytes = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or not 0 < footer_bytes <= min(size_bytes - len(_MAGIC) - _TAIL_BYTES, _MOST_FOOTER_BYTES):
        raise Harmful("it does not end as a Parquet file does: damaged, or made to harm")
    file.seek(0)
    return size_bytes
