"""Rows of snippets with the code that a reader's private key opens."""

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import KeyUnavailable
from schemas.registry import load
from transforms.core import storage
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.role_encryption import columns_by_role, decryption_properties
from transforms.core.output.layout import DataFile

SNIPPETS = "snippets"


def readable_columns(role: str) -> list[str]:
    """The plain columns of snippets and those of the role; raises KeyUnavailable for a role without any."""
    by_role = columns_by_role(load(SNIPPETS))
    if role not in by_role:
        raise KeyUnavailable(f"role {role} may read no code; roles that may: {', '.join(sorted(by_role))}")
    return [f.name for f in load(SNIPPETS).fields if f.role in (None, role)]


def read_code(file: DataFile, keys: PrivateKeys, columns: list[str], data: bytes | None = None) -> pa.Table:
    """These columns of a file, whose bytes are read unless they are given.

    Raises KeyUnavailable where the key does not open one of them.
    """
    properties = decryption_properties(keys, file.place)
    try:
        source = pa.BufferReader(storage.read_bytes(file.path) if data is None else data)
        reader = pq.ParquetFile(source, decryption_properties=properties)
        # not read(): asked for 23 columns or more, pyarrow 25 unwraps the keys of all columns
        return pa.Table.from_batches(reader.iter_batches(columns=columns), _schema_of(reader, columns))
    except (PermissionError, OSError) as cause:
        detail = str(cause) if isinstance(cause, PermissionError) else "the file does not open with it"
        raise KeyUnavailable(f"{file.path}: {detail}") from None


def _schema_of(reader: pq.ParquetFile, columns: list[str]) -> pa.Schema:
    return pa.schema([reader.schema_arrow.field(name) for name in columns])
