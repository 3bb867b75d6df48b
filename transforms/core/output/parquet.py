"""Tables -> the bytes of Parquet files."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.registry import load
from transforms.core.output.order import sort_keys

ROW_GROUP_ROWS = 128 * 1024
_ZSTD_LEVEL = 1  # smaller and faster than 3 on these columns: 19.6 and 20.7 MB, 2.9 and 3.4 us a row
_REPEATED_IDS = ("installation_id", "session_id", "user_id")

_FEW_ROWS = 256
"""Up to so many rows a column is smaller without a dictionary, which is a page of its own: one row of `suggestions`
takes 20.0 and 22.4 KB, 278 rows of `requests` 23.5 and 24.6."""

_OF_ONE_PAGE_ROWS = 16 * 1024
"""A page holds at most 20,000 rows. Up to here an index of pages has nothing to skip, and takes 3 KB."""


def parquet_bytes(dataset: str, table: pa.Table, encryption: Any, facts: Mapping[str, str] = {}) -> bytes:
    """The file of a table, whose rows are in the order of `sort_keys`. Writer settings follow from the table alone: the
    same rows give the same bytes, but for encrypted columns, whose keys are fresh. `encryption` is what
    `encryption_properties` says of the dataset; `facts` stand in the file's metadata, beside the contract's.
    """
    out = io.BytesIO()
    with parquet_writer(dataset, out, table.schema, table.num_rows, encryption, facts) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
    return out.getvalue()


@contextmanager
def parquet_writer(
    dataset: str, sink: Any, schema: pa.Schema, rows: int, encryption: Any = None, facts: Mapping[str, str] = {}
) -> Iterator[pq.ParquetWriter]:
    """A writer of a file of so many rows, which come in order, in tables of ROW_GROUP_ROWS; the last one may have less.

    The bytes are those that `parquet_bytes` makes of all of them at once.
    """
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=_words(dataset) if rows > _FEW_ROWS else False,
        write_statistics=True,
        version="2.6",
        sorting_columns=_sorting(dataset, schema),
        write_page_index=rows > _OF_ONE_PAGE_ROWS,
        store_schema=False,  # every reader makes the same types of what Parquet says; the copy took 9 of 22 KB
        encryption_properties=encryption,
    ) as writer:
        yield writer
        writer.add_key_value_metadata({**load(dataset).arrow.metadata, **facts})


@lru_cache
def _sorting(dataset: str, schema: pa.Schema) -> list[pq.SortingColumn] | None:
    ordering = [(name, "ascending") for name in sort_keys(dataset)]
    return list(pq.SortingColumn.from_ordering(schema, ordering, null_placement="at_end")) or None


@cache
def _words(dataset: str) -> list[str]:
    """Columns of few distinct values; looking for them in the others costs a tenth of the writing."""
    numbers = (pa.types.is_floating, pa.types.is_timestamp, pa.types.is_binary)
    return [
        f.name
        for f in load(dataset).fields
        if (f.pseudonym_domain is None or f.name in _REPEATED_IDS) and not any(is_a(f.type) for is_a in numbers)
    ]
