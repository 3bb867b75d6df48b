"""Tables -> the bytes of Parquet files."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.registry import load

_ROW_GROUP_ROWS = 128 * 1024
_ZSTD_LEVEL = 1  # smaller and faster than 3 on these columns: 19.6 and 20.7 MB, 2.9 and 3.4 us a row
_REPEATED_IDS = ("installation_id", "session_id", "user_id")


def parquet_bytes(dataset: str, table: pa.Table, encryption: Any) -> bytes:
    """The file of a table. Writer settings are fixed: the same rows give the same bytes, but for
    encrypted columns, whose keys are fresh. `encryption` is what `encryption_properties` says of the dataset.
    """
    out = io.BytesIO()
    with pq.ParquetWriter(
        out,
        table.schema,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=_words(dataset),
        write_statistics=True,
        version="2.6",
        encryption_properties=encryption,
    ) as writer:
        writer.write_table(table, row_group_size=_ROW_GROUP_ROWS)
    return out.getvalue()


def _words(dataset: str) -> list[str]:
    """Columns of few distinct values; looking for them in the others costs a tenth of the writing."""
    numbers = (pa.types.is_floating, pa.types.is_timestamp, pa.types.is_binary)
    return [
        f.name
        for f in load(dataset).fields
        if (f.pseudonym_domain is None or f.name in _REPEATED_IDS) and not any(is_a(f.type) for is_a in numbers)
    ]
