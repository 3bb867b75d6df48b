"""Exact duplicates: the same event received again within the lookback."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Times = np.ndarray
"""Microseconds since 1970 as int64."""

Contents = np.ndarray | list[str]
"""What stands for the content of each row, and has an order."""


def duplicates(
    keys: pa.Array,
    times_us: Times,
    published_keys: pa.Array,
    published_times_us: Times,
    lookback_us: int,
    contents_of: Callable[[np.ndarray], Contents],
) -> np.ndarray:
    """Which rows are duplicates, as a mask.

    Rows are looked at in order of receive time. A row is a duplicate if another
    one with its key landed at most the lookback away, in this input or in what
    others published. Of rows with the same key and the same time the one with the
    smallest content lands, so the order of the input changes nothing. `contents_of`
    is asked for the contents of such rows, by their numbers.
    """
    count = len(keys)
    mask = np.zeros(count, dtype=bool)
    coded = pa.concat_arrays([keys, published_keys]).dictionary_encode()
    if len(coded.dictionary) == len(coded):
        return mask
    # Nearly all keys stand once. Only the rows of the others are walked through in Python.
    codes = coded.indices.to_numpy()
    repeated = np.bincount(codes)[codes] > 1
    suspects = np.flatnonzero(repeated[:count])
    landed: dict[int, list[int]] = {}
    for index in np.flatnonzero(repeated[count:]):
        landed.setdefault(int(codes[count + index]), []).append(int(published_times_us[index]))
    for row in _in_order(suspects, codes, times_us, contents_of):
        near = landed.setdefault(int(codes[row]), [])
        time_us = int(times_us[row])
        if any(abs(time_us - other_us) <= lookback_us for other_us in near):
            mask[row] = True
        else:
            near.append(time_us)
    return mask


def _in_order(
    suspects: np.ndarray, codes: np.ndarray, times_us: Times, contents_of: Callable[[np.ndarray], Contents]
) -> np.ndarray:
    """The suspects by key and time, those that tie in both by content."""
    order = suspects[np.lexsort((times_us[suspects], codes[suspects]))]
    as_next = np.flatnonzero((np.diff(codes[order]) == 0) & (np.diff(times_us[order]) == 0))
    tied = order[np.union1d(as_next, as_next + 1)]
    if not len(tied):
        return order
    ranks = np.zeros(len(times_us), dtype=np.int64)
    # The contents of all of them are asked for at once: asking for a row by itself took 1 ms.
    ranks[tied] = np.unique(contents_of(tied), return_inverse=True)[1]
    return suspects[np.lexsort((ranks[suspects], times_us[suspects], codes[suspects]))]


def content_ranks(rows: pa.Table) -> np.ndarray:
    """The place of each row in an order by all its values; rows that are equal to the bit share a place."""
    ranks = [pc.rank(_to_the_bit(column), "ascending", tiebreaker="dense").to_numpy() for column in rows.columns]
    # A row's place is the number of changes before it in the sorted rows.
    order = np.lexsort(ranks)
    ordered = np.stack(ranks)[:, order]
    places = np.zeros(rows.num_rows, dtype=np.int64)
    places[order[1:]] = np.cumsum(np.any(ordered[:, 1:] != ordered[:, :-1], axis=0))
    return places


def _to_the_bit(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Doubles as integers: -0.0 is another value than 0.0. Maps, which have no order, as text."""
    if pa.types.is_map(column.type):
        return pa.chunked_array([[None if value is None else repr(value) for value in column.to_pylist()]], pa.string())
    if not pa.types.is_float64(column.type):
        return column
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())
