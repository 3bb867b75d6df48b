"""Facts of a request, given to every suggestion that came of it."""

import numpy as np
import pyarrow as pa

from transforms.core.suggestions.facts import Facts, firsts, in_order, micros
from transforms.core.suggestions.lives import Lives


def belonging(rows: pa.RecordBatch, column: str, keys: pa.Array, lives: Lives, horizon: int) -> Facts:
    """Every row whose `column` is a life's key and that was received while the life lasted, or at most the
    horizon before it began; a row stands once for each life it belongs to.
    """
    coded = pa.concat_arrays([keys, rows[column]]).dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    wanted, offered = codes[: len(keys)], codes[len(keys) :]
    order = np.argsort(offered, kind="stable")
    begin = np.searchsorted(offered[order], wanted, "left")
    number = np.where(wanted >= 0, np.searchsorted(offered[order], wanted, "right") - begin, 0)
    life = np.repeat(np.arange(len(wanted)), number)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    row = order[np.repeat(begin, number) + within]
    received = micros(rows["received_at"])[row]
    in_time = (received >= lives.first[life] - horizon) & (received <= lives.closed_at[life])
    return Facts(rows.take(pa.array(row[in_time])), life[in_time])


def first_of_each(facts: Facts, count: int) -> np.ndarray:
    """The first row of each life, -1 where it has none."""
    return firsts(in_order(facts.rows, facts.life), facts.life, count)
