"""The person's rows as tables and as lines, with code where keys are given, and with quarantined payloads."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.people.finding import FoundRows
from schemas.errors import KeyUnavailable
from schemas.registry import load
from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.role_encryption import columns_by_role
from transforms.core.output.code_columns import SNIPPETS, read_code, readable_columns
from transforms.core.quarantine.opening import open_body

RECEIVED_DATE = "received_date"
PAYLOAD, REQUEST = "payload", "request"
"""Columns of quarantine that stand in an export where the sealed body stands in a file."""


class Rows:
    """Reads the person's rows of each dataset; counts the rows whose code does not open any more."""

    def __init__(self, operator: PrivateKeys, readers: Sequence[PrivateKeys]) -> None:
        self._operator = operator
        self._readers = readers
        self.closed: dict[str, int] = {}
        """Role -> rows of a month for which its key file has no key."""

    def of(self, dataset: str, found: Sequence[FoundRows]) -> pa.Table:
        """One table, its columns in the order of the contract, received_date first; raises StorageUnavailable."""
        tables = [self._of_file(dataset, each) for each in found]
        return pa.concat_tables(tables, promote_options="default")

    def _of_file(self, dataset: str, found: FoundRows) -> pa.Table:
        rows = pa.array(np.asarray(found.rows, dtype=np.int64))
        with storage.open_read(found.file.path) as file:
            reader = pq.ParquetFile(file)
            closed = {f.name for f in load(dataset).fields if f.role}
            columns = [name for name in reader.schema_arrow.names if name not in closed]
            table = reader.read(columns=columns).take(rows).replace_schema_metadata(None)
        if dataset == SNIPPETS:
            table = self._with_code(table, found, rows)
        if dataset == QUARANTINE:
            table = self._with_payloads(table)
        days = pa.repeat(pa.scalar(found.file.day), table.num_rows)
        return _undictionaried(table.add_column(0, RECEIVED_DATE, days))

    def _with_code(self, table: pa.Table, found: FoundRows, rows: pa.Array) -> pa.Table:
        for keys in self._readers:
            names = columns_by_role(load(SNIPPETS))[keys.role]
            try:
                code = read_code(found.file, keys, readable_columns(keys.role)).take(rows)
            except KeyUnavailable:  # the month was destroyed, or the reader came later: told in the folder, by role
                self.closed[keys.role] = self.closed.get(keys.role, 0) + table.num_rows
                code = pa.table({name: pa.nulls(table.num_rows, pa.string()) for name in names})
            for name in names:
                table = table.append_column(name, code[name])
        return table

    def _with_payloads(self, table: pa.Table) -> pa.Table:
        payloads, requests = [], []
        columns = (table[name].to_pylist() for name in ("body", "body_key_id", "container"))
        for body, key_id, container in zip(*columns, strict=True):
            line, request = open_body(self._operator, key_id, body, container)
            payloads.append(line.decode("utf-8", "replace"))
            around = None if request is None else {**request._asdict(), "body": None, "is_stamped": None}
            requests.append(None if around is None else json.dumps({k: v for k, v in around.items() if v is not None}))
        table = table.drop_columns(["body"])
        table = table.append_column(PAYLOAD, pa.array(payloads, pa.string()))
        return table.append_column(REQUEST, pa.array(requests, pa.string()))


def _undictionaried(table: pa.Table) -> pa.Table:
    """Columns of words as plain texts: files of several days have several dictionaries."""
    for place, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(place, column.name, table[column.name].cast(column.type.value_type))
    return table


def json_lines(table: pa.Table) -> Iterator[str]:
    """A line of JSON for each row; times as ISO 8601 in UTC, what is missing left out."""
    maps = {f.name for f in table.schema if pa.types.is_map(f.type)}
    for row in table.to_pylist():
        told = {name: dict(value) if name in maps else value for name, value in row.items() if value is not None}
        yield json.dumps(told, ensure_ascii=False, default=_text)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
