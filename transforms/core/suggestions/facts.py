"""Facts of suggestions: rows of one dataset with the life each belongs to, in a total order."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

_UNKNOWN = 2**62
"""Stands for an unknown time: after all others, whichever way they are ordered."""


class Facts(NamedTuple):
    """Rows of one dataset, as in its files, and the number of the life that each belongs to."""

    rows: pa.RecordBatch
    life: np.ndarray


def micros(times: pa.Array, unknown: int = 0) -> np.ndarray:
    """Microseconds since 1970."""
    return times.cast(pa.int64()).fill_null(unknown).to_numpy(zero_copy_only=False)


def in_order(rows: pa.RecordBatch, *keys: np.ndarray, latest_first: bool = False) -> np.ndarray:
    """Row numbers by the keys, then occurred_at (unknown last), received_at, event_id: no two rows tie.

    The client's clock comes first because one upload has one receive time.
    """
    sign = -1 if latest_first else 1
    occurred = rows["occurred_at"]
    happened = np.where(occurred.is_valid(), sign * micros(occurred), _UNKNOWN)
    high, low = _id_words(rows["event_id"])
    return np.lexsort((low, high, sign * micros(rows["received_at"]), happened, *reversed(keys)))


def _id_words(ids: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The first 16 of 32 hex digits as two numbers that sort as the text does; two ids alike in 64 bits are not met."""
    data = np.frombuffer(ids.buffers()[2] or b"", dtype=">u8")
    start = ids.offset * 4
    words = data[start : start + len(ids) * 4].reshape(-1, 4)
    return words[:, 0], words[:, 1]


def firsts(ordered: np.ndarray, keys: np.ndarray, count: int) -> np.ndarray:
    """The first row of each key 0..count-1, given row numbers sorted by key; -1 where a key has none."""
    sorted_keys = keys[ordered]
    begins = np.flatnonzero(np.r_[True, sorted_keys[1:] != sorted_keys[:-1]]) if len(ordered) else ordered
    first = np.full(count, -1, dtype=np.int64)
    first[sorted_keys[begins]] = ordered[begins]
    return first


def take(values: pa.Array, rows: np.ndarray) -> pa.Array:
    """The values of these rows; null where a row is -1."""
    return values.take(pa.array(rows, mask=rows < 0))
