"""A landed file -> the same file without what is not permitted: one rename or one PUT, under the same name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StorageRefused
from schemas.registry import load
from transforms.core import storage
from transforms.core.chains.run_manifest import PutFile, digest_of
from transforms.core.curating.permitted import Left, Permitted, Ranked, left_of_ranked
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.role_encryption import columns_by_role, encryption_properties
from transforms.core.keys.step_keys import RoleKeys
from transforms.core.output.claim import check_held
from transforms.core.output.code_columns import read_code
from transforms.core.output.layout import DataFile, Output
from transforms.core.output.order import sort_keys
from transforms.core.output.parquet import parquet_bytes


class Rewritten(NamedTuple):
    """What came of a file: what is there now, None where it is gone, and the bytes that were read."""

    now: PutFile | None
    read_bytes: int
    is_changed: bool

    @property
    def rows(self) -> int:
        """How many are there now."""
        return (self.now.rows or 0) if self.now else 0


@dataclass(frozen=True)
class Rewriter:
    """Writes files anew. `private` are the keys of roles that read code; `destroyed` months whose code nobody can.

    `ranked` are the people's rows by path, as the plan of the same run found them. Where a killed run is finished there
    are none, and rows are looked up in the record of what is permitted, which takes a sixth of the time of all.
    """

    output: Output
    permitted: Permitted
    private: Mapping[str, PrivateKeys]
    public: RoleKeys
    destroyed: frozenset[str]
    ranked: Mapping[str, Ranked] = field(default_factory=dict)

    def rewrite(self, file: DataFile) -> Rewritten:
        """Does nothing where nothing is to be changed, as when a killed run did it. Other rows stay as they are.

        Raises StorageUnavailable, OutputInUse, KeyUnavailable where a key does not open the code.
        """
        if not storage.exists(file.path):
            return Rewritten(None, 0, is_changed=False)
        data = storage.read_bytes(file.path)
        table, metadata = self.read(file, data)
        left = self._left(file, table)
        if not (left.goes.any() or left.loses.any()):
            return Rewritten(_put(file, data, table.num_rows), len(data), is_changed=False)
        check_held(self.output)
        if not left.table.num_rows:
            storage.remove(file.path)
            storage.remove_empty(self.output.partition(file.dataset, file.day))
            return Rewritten(None, len(data), is_changed=True)
        rows = _in_order(file.dataset, left.table) if left.loses.any() else left.table
        written = self._bytes(file, rows, metadata)
        self.output.write(file.path, written)
        return Rewritten(_put(file, written, left.table.num_rows), len(data), is_changed=True)

    def _left(self, file: DataFile, table: pa.Table) -> Left:
        if (ranked := self.ranked.get(file.path)) is not None:
            return left_of_ranked(file.dataset, table, ranked)
        return self.permitted.left(file.dataset, table)

    def read(self, file: DataFile, data: bytes) -> tuple[pa.Table, dict[str, str]]:
        """All columns of a file, code in clear, and what its footer says of who made it."""
        reader = pq.ParquetFile(pa.BufferReader(data))
        metadata = {name.decode(): text.decode() for name, text in (reader.metadata.metadata or {}).items()}
        by_role = columns_by_role(load(file.dataset))
        if not by_role:
            return reader.read(use_threads=False).replace_schema_metadata(None), metadata
        secret = {name: role for role, names in by_role.items() for name in names}
        names = reader.schema_arrow.names
        table = reader.read([name for name in names if name not in secret], use_threads=False)
        opened = {role: self._code(file, role, data, columns) for role, columns in by_role.items()}
        for place, name in enumerate(names):
            if name in secret:
                column = opened[secret[name]]
                values = pa.nulls(table.num_rows, pa.string()) if column is None else column[name]
                table = table.add_column(place, reader.schema_arrow.field(name), values)
        return table.replace_schema_metadata(None), metadata

    def _code(self, file: DataFile, role: str, data: bytes, columns: list[str]) -> pa.Table | None:
        """A role's columns; None where its key of the month was destroyed, so that they are lost to everybody."""
        if f"{file.day:%Y-%m}" in self.destroyed:
            return None
        return read_code(file, self.private[role], columns, data)

    def _bytes(self, file: DataFile, table: pa.Table, metadata: dict[str, str]) -> bytes:
        month = f"{file.day:%Y-%m}"
        schema = load(file.dataset)
        encryption = None if month in self.destroyed else encryption_properties(schema, self.public, month, file.place)
        return parquet_bytes(file.dataset, table, encryption, metadata)


def _put(file: DataFile, data: bytes, rows: int) -> PutFile:
    """What ledger and manifest say of it, so that neither reads it again: that took a tenth of an erasure."""
    return PutFile(file.place, len(data), rows, digest_of(data))


def _in_order(dataset: str, table: pa.Table) -> pa.Table:
    """In the order of files: where a person's id was taken out of a row it stands elsewhere now."""
    return table.sort_by([(name, "ascending") for name in sort_keys(dataset) if name in table.column_names])


def check_rows(file: DataFile, found: int, expected: int) -> None:
    """Raises StorageRefused where a file does not have the rows that it must have now."""
    if found != expected:
        raise StorageRefused(f"{file.path}: {found} rows are left, {expected} must be; bring it back from a backup")
