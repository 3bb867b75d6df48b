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
    times: Times,
    published_keys: pa.Array,
    published_times: Times,
    lookback_micros: int,
    contents_of: Callable[[np.ndarray], Contents],
) -> np.ndarray:
    """Which rows are duplicates, as a mask.

    Rows are taken in order of receive time. One is a duplicate if a row with
    its key landed, in this input or in what others published, at most the
    lookback away. Of rows with one key and one time the one with the smallest
    content lands, so the order of the input changes nothing.
    """
    count = len(keys)
    mask = np.zeros(count, dtype=bool)
    coded = pa.concat_arrays([keys, published_keys]).dictionary_encode()
    if len(coded.dictionary) == len(coded):
        return mask
    codes = coded.indices.to_numpy()
    repeated = np.bincount(codes)[codes] > 1
    suspects = np.flatnonzero(repeated[:count])
    landed: dict[int, list[int]] = {}
    for index in np.flatnonzero(repeated[count:]):
        landed.setdefault(int(codes[count + index]), []).append(int(published_times[index]))
    for row in _in_order(suspects, codes, times, contents_of):
        near = landed.setdefault(int(codes[row]), [])
        moment = int(times[row])
        if any(abs(moment - other) <= lookback_micros for other in near):
            mask[row] = True
        else:
            near.append(moment)
    return mask


def _in_order(
    suspects: np.ndarray, codes: np.ndarray, times: Times, contents_of: Callable[[np.ndarray], Contents]
) -> np.ndarray:
    order = suspects[np.lexsort((times[suspects], codes[suspects]))]
    as_next = np.flatnonzero((np.diff(codes[order]) == 0) & (np.diff(times[order]) == 0))
    tied = order[np.union1d(as_next, as_next + 1)]
    if not len(tied):
        return order
    ranks = np.zeros(len(times), dtype=np.int64)
    ranks[tied] = np.unique(contents_of(tied), return_inverse=True)[1]  # all at once: a row by itself took 1 ms
    return suspects[np.lexsort((ranks[suspects], times[suspects], codes[suspects]))]


def content_ranks(rows: pa.Table) -> np.ndarray:
    """The place of each row in an order that all its values make; equal rows, to the bit, share one."""
    ranks = [pc.rank(_to_the_bit(column), "ascending", tiebreaker="dense").to_numpy() for column in rows.columns]
    order = np.lexsort(ranks)
    ordered = np.stack(ranks)[:, order]
    places = np.zeros(rows.num_rows, dtype=np.int64)
    places[order[1:]] = np.cumsum(np.any(ordered[:, 1:] != ordered[:, :-1], axis=0))
    return places


def _to_the_bit(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Doubles as integers: -0.0 is another value than 0.0."""
    if not pa.types.is_float64(column.type):
        return column
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())
