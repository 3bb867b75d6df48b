"""Whole columns of texts -> columns of pseudonyms."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.keys.pseudonyms import PSEUDONYM_BYTES, Pseudonymizer

_MOST_REMEMBERED = 20_000  # 200 bytes each; ids of requests come again within seconds or not at all


class ColumnPseudonymizer(Pseudonymizer):
    """The pseudonyms of one domain, column by column.

    With `remembers`, pseudonyms are kept (in memory only, at most 20,000 and a batch's): all but events' ids repeat
    from batch to batch.
    """

    def __init__(self, key: bytes, *, remembers: bool) -> None:
        super().__init__(key)
        self._known: dict[bytes, bytes] | None = {} if remembers else None

    def column(self, texts: pa.Array) -> pa.Array:
        """binary(16) for each text, which may be in binary; null for null."""
        if texts.null_count == len(texts):
            return pa.nulls(len(texts), pa.binary(PSEUDONYM_BYTES))
        values = texts.cast(pa.binary())
        if self._known is None and not values.null_count:
            return pa.array(self.of_each_data(values.to_pylist()), pa.binary(PSEUDONYM_BYTES))
        coded = values.dictionary_encode()
        distinct = self.of_distinct(coded.dictionary.to_pylist())
        return pa.array(distinct, pa.binary(PSEUDONYM_BYTES)).take(coded.indices)

    def of_distinct(self, values: Sequence[bytes]) -> list[bytes]:
        """The pseudonym of each text in UTF-8, from memory where it is kept there."""
        known = self._known
        if known is None:
            return self.of_each_data(values)
        if len(known) > _MOST_REMEMBERED:
            known.clear()
        fresh = [value for value in values if value not in known]
        known.update(zip(fresh, self.of_each_data(fresh), strict=True))
        return [known[value] for value in values]


def sent_ids(senders: pa.Array, ids: pa.Array) -> pa.Array:
    """What is digested of ids: the 16 bytes that stand for the sender, then the id in UTF-8; null where there is none.

    The sender's part has one length, so no two pairs make the same bytes. Both fit one block of SHA-256 where the id
    is a uuid.
    """
    if ids.null_count == len(ids):
        return pa.nulls(len(ids), pa.binary())
    return pc.binary_join_element_wise(senders.cast(pa.binary()), ids.cast(pa.binary()), b"")


def hex_column(pseudonyms: pa.Array) -> pa.Array:
    """binary(16) -> 32 hex digits each, null for null: one pass over the column's bytes."""
    width = 2 * PSEUDONYM_BYTES
    plain = pa.concat_arrays([pseudonyms]) if pseudonyms.offset else pseudonyms
    count = len(plain)
    data = plain.buffers()[1]
    digits = (data.to_pybytes()[: count * PSEUDONYM_BYTES] if data else b"").hex().encode()
    offsets = pa.py_buffer(np.arange(0, (count + 1) * width, width, dtype=np.int32))
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(digits), plain.buffers()[0])


def plain_bytes(texts: pa.Array) -> bytes:
    """The 16 bytes that each 32 hex digits stand for, one after another; no text may be null."""
    if not len(texts):
        return b""
    # The column's own memory is read; no text becomes a Python object.
    start = np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset]
    return bytes.fromhex(texts.buffers()[2][start : start + len(texts) * 2 * PSEUDONYM_BYTES].to_pybytes().decode())


def translated(texts: pa.Array, translate: Callable[[bytes], bytes]) -> pa.Array:
    """A column of 32 hex digits each, after `translate` took the bytes of all of them; null for null."""
    known = texts.drop_null()
    data = pa.py_buffer(translate(plain_bytes(known)))
    made = hex_column(pa.FixedSizeBinaryArray.from_buffers(pa.binary(PSEUDONYM_BYTES), len(known), [None, data]))
    if not texts.null_count:
        return made
    valid = np.asarray(texts.is_valid())
    return made.take(pa.array(np.cumsum(valid) - 1, mask=~valid))
