"""Pseudonyms with numbers beside them, kept in memory, sorted: 16 bytes and 8 a number, found by bisection."""

import numpy as np
import pyarrow as pa

from transforms.core.keys.pseudonym_columns import hex_column
from transforms.core.keys.pseudonyms import PSEUDONYM_BYTES

_MERGE_AT = 2
"""A part is merged into the one before it once that is not twice as long: so there are few parts."""


class KeyIndex:
    """32-digit keys, each with some int64 values; the same key may stand in it often.

    The last value is the one that `forget_before` goes by.
    """

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, ...]] = []

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self._parts)

    def add(self, keys: pa.Array, *values: np.ndarray) -> None:
        """Takes keys and their values, in any order."""
        if len(keys):
            self._parts.append(_sorted((*_words(keys), *values)))
        while len(self._parts) > 1 and len(self._parts[-2][0]) < _MERGE_AT * len(self._parts[-1][0]):
            last, before = self._parts.pop(), self._parts.pop()
            self._parts.append(_sorted(tuple(map(np.concatenate, zip(before, last, strict=True)))))

    def find(self, keys: pa.Array) -> tuple[pa.Array, list[np.ndarray]]:
        """What is kept of these keys, once for each time it was added: keys and columns of values."""
        wanted = np.unique(_words(keys)[0]) if len(keys) else np.array([], dtype=np.uint64)
        found = [tuple(column[rows] for column in part) for part in self._parts for rows in [_rows(part[0], wanted)]]
        found = [part for part in found if len(part[0])]
        if not found:
            return pa.array([], pa.string()), []
        high, low, *values = map(np.concatenate, zip(*found, strict=True))
        return _texts(high, low), values

    def forget_before(self, moment: int) -> None:
        """Lets go of keys whose last value is smaller."""
        kept = (tuple(column[part[-1] >= moment] for column in part) for part in self._parts)
        self._parts = [part for part in kept if len(part[0])]


def _sorted(part: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    order = np.argsort(part[0], kind="stable")
    return tuple(column[order] for column in part)


def _rows(sorted_words: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The places of every wanted word."""
    begin = np.searchsorted(sorted_words, wanted, "left")
    number = np.searchsorted(sorted_words, wanted, "right") - begin
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return np.repeat(begin, number) + within


def _words(keys: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The two halves of the 16 bytes that each key's 32 hex digits stand for."""
    start = keys.offset * 2 * PSEUDONYM_BYTES
    digits = bytes(keys.buffers()[2])[start : start + len(keys) * 2 * PSEUDONYM_BYTES]
    words = np.frombuffer(bytes.fromhex(digits.decode()), dtype=np.uint64).reshape(-1, 2)
    return words[:, 0].copy(), words[:, 1].copy()


def _texts(high: np.ndarray, low: np.ndarray) -> pa.Array:
    data = np.stack([high, low], axis=1).tobytes()
    plain = pa.FixedSizeBinaryArray.from_buffers(pa.binary(PSEUDONYM_BYTES), len(high), [None, pa.py_buffer(data)])
    return hex_column(plain)
