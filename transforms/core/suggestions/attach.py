"""Rows that name a request or an opportunity, given to every suggestion that came of it."""

import numpy as np
import pyarrow as pa

from transforms.core.suggestions.facts import Facts, firsts, in_order, micros
from transforms.core.suggestions.lives import Lives


def belonging(
    rows: pa.RecordBatch, column: str, keys: pa.Array, lives: Lives, horizon_us: int, owners: np.ndarray | None = None
) -> Facts:
    """The rows whose `column` holds the key of a life and that were received in its time.

    `keys` has a key for each life, or null; with `owners` it has any number for each, and these are the lives' numbers.
    A life's time begins `horizon_us` before its first fact, because a
    request comes before what is shown of it, and ends when the life is closed. A row that belongs to several lives
    is given once for each.
    """
    # One dictionary over both columns turns texts into small numbers that can be compared; -1 is null.
    coded = pa.concat_arrays([keys, rows[column]]).dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    wanted, offered = codes[: len(keys)], codes[len(keys) :]
    # A join by sorting: the rows of a life's key are the span from `begin` on, `number` long, of the sorted rows.
    order = np.argsort(offered, kind="stable")
    begin = np.searchsorted(offered[order], wanted, "left")
    number = np.where(wanted >= 0, np.searchsorted(offered[order], wanted, "right") - begin, 0)
    # Every span written out, one after another: its life as often as the span is long, and the place within it.
    life = np.repeat(np.arange(len(wanted)) if owners is None else owners, number)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    row = order[np.repeat(begin, number) + within]
    received_us = micros(rows["received_at"])[row]
    in_time = (received_us >= lives.first_us[life] - horizon_us) & (received_us <= lives.closed_at_us[life])
    return Facts(rows.take(pa.array(row[in_time])), life[in_time])


def first_of_each(facts: Facts, count: int) -> np.ndarray:
    """The number of the first row of each of `count` lives, by the order of `in_order`; -1 where a life has none."""
    return firsts(in_order(facts.rows, facts.life), facts.life, count)
