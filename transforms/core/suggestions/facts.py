"""Facts of suggestions: rows of one dataset with the life each belongs to, in a total order."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

_UNKNOWN_US = 2**62
"""Stands for an unknown time, in microseconds: later than every time that a column can hold and its negative."""


class Facts(NamedTuple):
    """Rows of one dataset, with the columns of its files, and for each row the number of the life it belongs to."""

    rows: pa.RecordBatch
    life: np.ndarray


def micros(times: pa.Array, unknown_us: int = 0) -> np.ndarray:
    """Microseconds since 1970, as int64; `unknown_us` where a time is null."""
    return times.cast(pa.int64()).fill_null(unknown_us).to_numpy(zero_copy_only=False)


def in_order(rows: pa.RecordBatch, *keys: np.ndarray, latest_first: bool = False) -> np.ndarray:
    """Row numbers sorted by the keys, then occurred_at, received_at and event_id, so that no two rows tie.

    A row without occurred_at stands after all others of the same keys, also with `latest_first`. The client's clock
    is compared before ours, because all events of one upload share one receive time.
    """
    sign = -1 if latest_first else 1
    occurred = rows["occurred_at"]
    occurred_us = np.where(occurred.is_valid(), sign * micros(occurred), _UNKNOWN_US)
    high, low = _id_words(rows["event_id"])
    # lexsort takes the most important key last
    return np.lexsort((low, high, sign * micros(rows["received_at"]), occurred_us, *reversed(keys)))


def _id_words(ids: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The first 16 of 32 hex digits as two numbers that sort as the text does.

    That is 64 bits of a pseudonym; two different ones that agree in them are not to be expected.
    """
    # Digits are ASCII, so eight of them read as one big-endian number keep their order. An id
    # is never null and always 32 bytes, so the row at offset n begins at word 4 n.
    data = np.frombuffer(ids.buffers()[2] or b"", dtype=">u8")
    start = ids.offset * 4
    words = data[start : start + len(ids) * 4].reshape(-1, 4)
    return words[:, 0], words[:, 1]


def firsts(ordered: np.ndarray, keys: np.ndarray, count: int) -> np.ndarray:
    """For each key from 0 to `count` - 1 the number of its first row; -1 where a key has no row.

    `ordered` are row numbers sorted by key, `keys` the key of each row.
    """
    sorted_keys = keys[ordered]
    begins = np.flatnonzero(np.r_[True, sorted_keys[1:] != sorted_keys[:-1]]) if len(ordered) else ordered
    first = np.full(count, -1, dtype=np.int64)
    first[sorted_keys[begins]] = ordered[begins]
    return first


def values_at(values: pa.Array, rows: np.ndarray) -> pa.Array:
    """The value of each of these rows; null where the row number is -1."""
    return values.take(pa.array(rows, mask=rows < 0))
