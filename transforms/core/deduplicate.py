"""Exact duplicates: the same event received again within the lookback."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

Times = np.ndarray
"""Microseconds since 1970 as int64."""


def duplicates(
    keys: pa.Array,
    times: Times,
    published_keys: pa.Array,
    published_times: Times,
    lookback_micros: int,
    content_of: Callable[[int], str],
) -> np.ndarray:
    """Which rows are duplicates, as a mask.

    Rows are taken in order of receive time. One is a duplicate if a row with
    its key landed, in this input or in what others published, at most the
    lookback away. Of rows with one key and one time the one with the smallest
    `content_of(row)` lands, so the order of the input changes nothing.
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
    for row in _in_order(suspects, codes, times, content_of):
        near = landed.setdefault(int(codes[row]), [])
        moment = int(times[row])
        if any(abs(moment - other) <= lookback_micros for other in near):
            mask[row] = True
        else:
            near.append(moment)
    return mask


def _in_order(suspects: np.ndarray, codes: np.ndarray, times: Times, content_of: Callable[[int], str]) -> Iterator[int]:
    order = suspects[np.lexsort((times[suspects], codes[suspects]))]
    start = 0
    while start < len(order):
        end = start + 1
        first = order[start]
        while end < len(order) and codes[order[end]] == codes[first] and times[order[end]] == times[first]:
            end += 1
        tied = [int(row) for row in order[start:end]]
        yield from tied if len(tied) == 1 else sorted(tied, key=content_of)
        start = end
