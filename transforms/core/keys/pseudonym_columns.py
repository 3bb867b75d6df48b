"""Whole columns of texts -> columns of pseudonyms."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from transforms.core.keys.pseudonyms import PSEUDONYM_BYTES, Pseudonymizer

_MOST_REMEMBERED = 20_000  # 200 bytes each; ids of requests come again within seconds or not at all


class ColumnPseudonymizer(Pseudonymizer):
    """The pseudonyms of one domain, column by column.

    With `remembers`, pseudonyms are kept (in memory only, at most 20,000 and a batch's): all but events' ids repeat
    from batch to batch.
    """

    def __init__(self, key: bytes, *, remembers: bool) -> None:
        super().__init__(key)
        self._known: dict[str, bytes] | None = {} if remembers else None

    def column(self, values: pa.Array) -> pa.Array:
        """binary(16) for each text, null for null."""
        if values.null_count == len(values):
            return pa.nulls(len(values), pa.binary(PSEUDONYM_BYTES))
        if self._known is None and not values.null_count:
            return pa.array(self.of_each(values.to_pylist()), pa.binary(PSEUDONYM_BYTES))
        coded = values.dictionary_encode()
        distinct = self.of_distinct(coded.dictionary.to_pylist())
        return pa.array(distinct, pa.binary(PSEUDONYM_BYTES)).take(coded.indices)

    def of_distinct(self, values: Sequence[str]) -> list[bytes]:
        """The pseudonym of each value, from memory where it is kept there."""
        known = self._known
        if known is None:
            return self.of_each(values)
        if len(known) > _MOST_REMEMBERED:
            known.clear()
        fresh = [value for value in values if value not in known]
        known.update(zip(fresh, self.of_each(fresh), strict=True))
        return [known[value] for value in values]


def hex_column(pseudonyms: pa.Array) -> pa.Array:
    """binary(16) -> 32 hex digits each, null for null: one pass over the column's bytes."""
    width = 2 * PSEUDONYM_BYTES
    plain = pa.concat_arrays([pseudonyms]) if pseudonyms.offset else pseudonyms
    count = len(plain)
    data = plain.buffers()[1]
    digits = (data.to_pybytes()[: count * PSEUDONYM_BYTES] if data else b"").hex().encode()
    offsets = pa.py_buffer(np.arange(0, (count + 1) * width, width, dtype=np.int32))
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(digits), plain.buffers()[0])
