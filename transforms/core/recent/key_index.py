"""Pseudonyms with numbers beside them, kept sorted in memory and found by bisection.

A key takes 16 bytes and each of its numbers 8; a Python dictionary takes several
times as much.
"""

import numpy as np
import pyarrow as pa

from transforms.core.keys.pseudonym_columns import hex_column
from transforms.core.keys.pseudonyms import PSEUDONYM_BYTES

_MERGE_AT = 2
"""A part is merged into the one before it, unless that is at least so many times as long."""


class KeyIndex:
    """Keys of 32 hex digits, each with some int64 values; the same key may stand in it many times."""

    def __init__(self) -> None:
        # Each part is sorted by the first half of its keys: columns of first halves, second halves, and values.
        self._parts: list[tuple[np.ndarray, ...]] = []

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self._parts)

    def add(self, keys: pa.Array, *values: np.ndarray) -> None:
        """Adds keys, none of them null, with their values, in any order."""
        if len(keys):
            self._parts.append(_sorted((*_words(keys), *values)))
        # Parts are at least twice as long as the one after them: so there are few to look into, and a key is
        # sorted again only as often as the index doubles.
        while len(self._parts) > 1 and len(self._parts[-2][0]) < _MERGE_AT * len(self._parts[-1][0]):
            last, before = self._parts.pop(), self._parts.pop()
            self._parts.append(_sorted(tuple(map(np.concatenate, zip(before, last, strict=True)))))

    def find(self, keys: pa.Array) -> tuple[pa.Array, list[np.ndarray]]:
        """What is kept of these keys: a column of keys and the columns of their values.

        A key is given once for each time it was added. Other keys that agree with one of these in the first 64
        bits are given too. Where nothing is found there are no columns of values.
        """
        wanted = np.unique(_words(keys)[0]) if len(keys) else np.array([], dtype=np.uint64)
        found = [tuple(column[rows] for column in part) for part in self._parts for rows in [_rows(part[0], wanted)]]
        found = [part for part in found if len(part[0])]
        if not found:
            return pa.array([], pa.string()), []
        high, low, *values = map(np.concatenate, zip(*found, strict=True))
        return _texts(high, low), values

    def forget_before(self, least: int) -> None:
        """Removes each key whose last value is smaller than `least`; what the value counts is up to the user."""
        kept = (tuple(column[part[-1] >= least] for column in part) for part in self._parts)
        self._parts = [part for part in kept if len(part[0])]


def _sorted(part: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    order = np.argsort(part[0], kind="stable")
    return tuple(column[order] for column in part)


def _rows(sorted_words: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The places of every wanted word."""
    begin = np.searchsorted(sorted_words, wanted, "left")
    number = np.searchsorted(sorted_words, wanted, "right") - begin
    # Every span of equal words written out, one after another.
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return np.repeat(begin, number) + within


def _words(keys: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The two halves of the 16 bytes that each key's 32 hex digits stand for."""
    # The column's own memory is read, from the first key of a slice on; no key becomes a Python object.
    start = keys.offset * 2 * PSEUDONYM_BYTES
    digits = bytes(keys.buffers()[2])[start : start + len(keys) * 2 * PSEUDONYM_BYTES]
    words = np.frombuffer(bytes.fromhex(digits.decode()), dtype=np.uint64).reshape(-1, 2)
    # Copies lie in one piece each; a view of every second word would keep both halves and is slower to search.
    return words[:, 0].copy(), words[:, 1].copy()


def _texts(high: np.ndarray, low: np.ndarray) -> pa.Array:
    """The inverse of `_words`."""
    data = np.stack([high, low], axis=1).tobytes()
    plain = pa.FixedSizeBinaryArray.from_buffers(pa.binary(PSEUDONYM_BYTES), len(high), [None, pa.py_buffer(data)])
    return hex_column(plain)
