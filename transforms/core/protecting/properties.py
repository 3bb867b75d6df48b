"""Declared properties of extensions: each map of them treated as its classification says, then all in one map.

A text that is kept has a bound: an extension may call anything system metadata. So it is scrubbed, as errors are, and
must then be one line of at most MOST_KEPT_CHARS; anything else is free text, and lands as `other`.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.manifests import KEEP, SCRUB
from schemas.shapes import OTHER
from transforms.core.carried import DECLARED
from transforms.core.protecting.scrub import ERRORS, scrub_column

MOST_KEPT_CHARS = 128
"""Ids of commands and settings, versions and lists of a few words have fewer; sentences and JSON have more."""

MOST_SCRUBBED_CHARS = 8192
"""Of a stack or message; what the clients themselves send as one value."""

PROPERTIES = "properties"
_MAP = pa.map_(pa.string(), pa.string())

PseudonymsOf = Callable[[str, pa.Array, pa.Array], pa.Array]
"""Domain, texts, and the receive time of each -> its pseudonym in hex."""


def land_properties(
    columns: dict[str, pa.Array], scrubbed: Counter[str], unknown: Counter[str], pseudonyms_of: PseudonymsOf
) -> np.ndarray:
    """Puts the column `properties` in the place of the maps in DECLARED; returns how many spans each row lost."""
    count = len(columns["received_at"])
    redactions = np.zeros(count, dtype=np.int32)
    landed: list[dict[str, str]] = [{} for _ in range(count)]
    for treatment, name in DECLARED.items():
        maps = columns.pop(name)
        keys, values, rows = _flat(maps)
        if not len(values):
            continue
        if treatment in (KEEP, SCRUB):
            values, spans = scrub_column(values, ERRORS, scrubbed)
            if spans is not None:
                np.add.at(redactions, rows, spans)
            values = _words(values, unknown) if treatment == KEEP else pc.utf8_slice_codeunits(
                values, 0, MOST_SCRUBBED_CHARS
            )  # fmt: skip
        else:
            times = columns["received_at"].take(pa.array(rows))
            values = pseudonyms_of(treatment.partition(":")[2], values, times)
        for row, key, value in zip(rows.tolist(), keys.to_pylist(), values.to_pylist(), strict=True):
            landed[row][key] = value
    columns[PROPERTIES] = pa.array([sorted(found.items()) or None for found in landed], _MAP)
    return redactions


def _flat(maps: pa.MapArray) -> tuple[pa.Array, pa.Array, np.ndarray]:
    """Keys and values of all rows, and the row of each."""
    offsets = maps.offsets.to_numpy()
    begin, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    rows = np.repeat(np.arange(len(maps)), np.diff(offsets))
    return maps.keys.slice(begin, count), maps.items.slice(begin, count), rows


def _words(values: pa.Array, unknown: Counter[str]) -> pa.Array:
    is_long = pc.greater(pc.utf8_length(values), MOST_KEPT_CHARS)
    is_odd = pc.or_(is_long, pc.match_substring_regex(values, r"[\x00-\x1f\x7f]"))
    count = pc.sum(is_odd).as_py() or 0
    if not count:
        return values
    unknown[PROPERTIES] += count
    return pc.if_else(is_odd, OTHER, values)
