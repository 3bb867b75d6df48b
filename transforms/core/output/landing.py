"""How rows in files differ from those in memory, so that files of two months have nothing in common.

In memory ids of events and suggestions have one key for good, and joins and duplicates are found by them whatever
month it is. A row lands with them enciphered under the key of its `key_id`. Its slot lands masked by its own id.
Whoever has the ring reads both back; without it, equal ids of two months, and equal slots, cannot be told.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import KeyUnavailable
from schemas.registry import load
from transforms.core.carried import SLOT
from transforms.core.keys.pseudonym_columns import plain_bytes, translated
from transforms.core.keys.pseudonyms import CORRELATION_DOMAINS, PSEUDONYM_BYTES, deciphered, enciphered
from transforms.core.keys.step_keys import LandingKeys
from transforms.core.output.layout import Output
from transforms.core.output.order import sort_keys
from transforms.core.output.output_facts import landing_facts

_PLAIN_SLOT = "slot"
"""The column of older versions' files in which a slot is not masked."""

_ROW_IDS = ("event_id", "payload_id", "suggestion_id", "opportunity_id")
"""Columns of which the first one that a row has a value in masks its slot."""

_Translate = Callable[[bytes, bytes], bytes]


class Landing:
    """Turns rows into what stands in files, and back; of one output. A step makes it in `setup`, as it holds keys.

    Rows of months before `first_month` have ids of one key in files, too: an older version began the output.
    """

    def __init__(self, keys: LandingKeys, first_month: str, slots: int) -> None:
        self._keys = keys
        self._first_month = first_month
        self._slots = slots

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    @staticmethod
    def of(output: Output, keys: LandingKeys) -> "Landing":
        """That of an output, by what it keeps of its first run on."""
        return Landing(keys, *landing_facts(output))

    def to_files(self, dataset: str, table: pa.Table) -> pa.Table:
        """Rows as they stand in files, in the order of files. Raises KeyUnavailable where a month's key is gone.

        No two rows tie in that order, because no two that land share key and receive time.
        """
        changed = self._ids(dataset, table, enciphered, must=True)
        table = _with_columns(table, changed)
        if SLOT in table.column_names:
            table = _with_columns(table, {SLOT: self._masked(table, 1)})
        return table.sort_by([(name, "ascending") for name in sort_keys(dataset)])

    def from_files(self, dataset: str, table: pa.Table) -> pa.Table:
        """The inverse; `table` has at least the columns that `needed` names.

        Ids of a month whose key is gone stay as they are: they equal no others any more. Older versions' unmasked
        column of slots becomes ours.
        """
        if _PLAIN_SLOT in table.column_names:
            table = table.drop_columns([SLOT] if SLOT in table.column_names else [])
            names = [SLOT if name == _PLAIN_SLOT else name for name in table.column_names]
            table = table.rename_columns(names)
        elif SLOT in table.column_names:
            table = _with_columns(table, {SLOT: self._masked(table, -1)})
        return _with_columns(table, self._ids(dataset, table, deciphered, must=False))

    def needed(self, dataset: str, columns: list[str]) -> list[str]:
        """The columns that have to be read so that these can be understood, these first."""
        schema = load(dataset)
        more = []
        if SLOT in columns:
            more += [_PLAIN_SLOT, *(name for name in _ROW_IDS if name in schema.arrow.names)]
        if any(name in _correlated(dataset) for name in [*columns, *more]):
            more.append("key_id")
        return [*dict.fromkeys([*columns, *more])]

    def _ids(self, dataset: str, table: pa.Table, do: _Translate, *, must: bool) -> dict[str, pa.Array]:
        """The columns of ids, translated month by month as far as the months are ours to translate."""
        there = {*table.column_names} & {*_correlated(dataset)}
        columns = {name: _of_column(table, name) for name in there}
        if not columns:
            return {}
        months = _of_column(table, "key_id")
        found = [month for month in pc.unique(months).to_pylist() if month is not None]
        for month in found:
            keys = self._keys.id_keys.get(month)
            if month < self._first_month or (keys is None and not must):
                continue
            if keys is None:
                raise KeyUnavailable(f"no key for epoch {month}: rows of it cannot land")
            within = None if len(found) == 1 and not months.null_count else pc.equal(months, month).fill_null(False)
            for name, domain in _correlated(dataset).items():
                if name in columns:
                    columns[name] = _translated(columns[name], within, partial(do, keys[domain]))
        return columns

    def _masked(self, table: pa.Table, sign: int) -> pa.Array:
        """Adds or takes away a number that follows from the row's id as it stands in files; a null slot stays null.

        Row by row, since a mask for each person would be lost where a person's id is taken out of a row later.
        """
        slots = _of_column(table, SLOT)
        row_ids = pc.coalesce(*(_of_column(table, name) for name in _ROW_IDS if name in table.column_names))
        known = pc.and_(row_ids.is_valid(), slots.is_valid())
        blocks = enciphered(self._keys.slot_key, plain_bytes(row_ids.filter(known)))
        masks = np.frombuffer(blocks, dtype=">u8")[:: PSEUDONYM_BYTES // 8] % self._slots
        plain = slots.filter(known).to_numpy().astype(np.int64)
        made = (plain + sign * masks.astype(np.int64)) % self._slots
        places = np.asarray(known)
        return pa.array(made, slots.type).take(pa.array(np.cumsum(places) - 1, mask=~places))


@cache
def _correlated(dataset: str) -> Mapping[str, str]:
    """The columns of a dataset that hold ids of a correlation domain, and the domain of each."""
    found = {f.name: f.pseudonym_domain for f in load(dataset).fields}
    return {name: domain for name, domain in found.items() if domain in CORRELATION_DOMAINS}


def _translated(ids: pa.Array, within: pa.Array | None, do: Callable[[bytes], bytes]) -> pa.Array:
    """The ids after `do`, those within the mask alone where there is one."""
    if within is None:
        return translated(ids, do)
    return pc.if_else(within, translated(pc.if_else(within, ids, None), do), ids)


def _of_column(table: pa.Table, name: str) -> pa.Array:
    chunks = table[name].chunks
    return pa.concat_arrays(chunks) if chunks else pa.array([], table[name].type)


def _with_columns(table: pa.Table, values: Mapping[str, pa.Array]) -> pa.Table:
    if not values:
        return table
    columns = [values.get(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    return pa.Table.from_arrays(columns, schema=table.schema)
