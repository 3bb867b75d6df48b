"""Files of a dataset -> one file of the same rows, sorted. What does not fit in memory is sorted on disk, by DuckDB."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from pipelines.running.sql import connected
from schemas.errors import StorageUnavailable
from schemas.registry import load
from transforms.core.output.layout import Output
from transforms.core.output.order import sort_keys
from transforms.core.output.parquet import ROW_GROUP_ROWS, parquet_writer

_MEMORY = "512MB"
"""What sorting may take; then it goes on by way of the disk. The columns of a row group take some 100 MB beside it."""


@contextmanager
def sorter(output: Output, scratch: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads files of the output, and sorts by way of the folder `scratch`.

    Raises StorageUnavailable where a file cannot be read while the block runs.
    """
    with connected(output, scratch) as connection:
        connection.execute(f"set memory_limit = '{_MEMORY}'")
        connection.execute("set preserve_insertion_order = false")
        try:
            yield connection
        except duckdb.Error as cause:
            raise StorageUnavailable(f"cannot read or sort {output}: {type(cause).__name__}") from None


def merge(connection: duckdb.DuckDBPyConnection, dataset: str, files: Sequence[str], into: Mapping[str, int]) -> None:
    """Writes the rows of these files, sorted, to local files one after the other: each gets so many as is told.

    A column that a file lacks is null. Each has the bytes that publishing its rows at once would have given it. Raises
    StorageUnavailable where what they hold, read back, is not what the files held.
    """
    _view(connection, "rows_before", dataset, files)
    before = _sums(connection, dataset, "rows_before")
    if before[0] != (planned := sum(into.values())):
        raise StorageUnavailable(
            f"files of {dataset} hold {before[0]} rows, not {planned} as planned; nothing was changed"
        )
    keys = ", ".join(f"{name} nulls last" for name in sort_keys(dataset))
    # No two rows tie in the keys, as far as they came in one way; the last key holds whatever else may come.
    rows = connection.sql(f"select * from rows_before order by {keys}, {_hash(dataset)}")
    schema = load(dataset).arrow
    batches = rows.to_arrow_reader(ROW_GROUP_ROWS)
    waiting = _Waiting(batches)
    for path, count in into.items():
        with parquet_writer(dataset, path, schema, count) as writer:
            for begin in range(0, count, ROW_GROUP_ROWS):
                writer.write_table(_as_written(waiting.take(min(count - begin, ROW_GROUP_ROWS)), schema))
    for _ in batches:  # the connection answers nothing else before it has told that no more rows come
        continue
    _view(connection, "rows_after", dataset, [*into])
    if _sums(connection, dataset, "rows_after") != before:
        raise StorageUnavailable(f"compacted files of {dataset} do not hold what was there before; nothing was changed")


class _Waiting:
    """Rows that come in batches of any size, taken in tables of the size that is asked for."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._waiting: list[pa.RecordBatch] = []

    def take(self, rows: int) -> pa.Table:
        """So many rows, less where no more are there."""
        while sum(batch.num_rows for batch in self._waiting) < rows:
            if (batch := next(self._batches, None)) is None:
                break
            self._waiting.append(batch)
        table = pa.Table.from_batches(self._waiting)
        self._waiting = table.slice(rows).to_batches()
        return table.slice(0, rows)


def _view(connection: duckdb.DuckDBPyConnection, name: str, dataset: str, files: Sequence[str]) -> None:
    """The files' rows with all columns of the dataset, in their order and types."""
    schema = load(dataset).arrow
    read = connection.read_parquet([*files], union_by_name=True, hive_partitioning=False)
    connection.register("no_rows", schema.remove_metadata().empty_table())
    read.create_view("rows_read", replace=True)
    columns = ", ".join(f'"{name}"' for name in schema.names)
    every = "from no_rows union all by name from rows_read"
    connection.execute(f"create or replace temp view {name} as select {columns} from ({every})")


def _sums(connection: duckdb.DuckDBPyConnection, dataset: str, source: str) -> tuple[int, int | None]:
    """The number of rows, and a sum over all of their values, whatever their order."""
    query = f"select count(*), sum({_hash(dataset)}::hugeint) from {source}"
    ((rows, total),) = connection.execute(query).fetchall()
    return rows, total


def _hash(dataset: str) -> str:
    columns = ", ".join(f'"{name}"' for name in load(dataset).arrow.names)
    return f"hash({columns})"


def _as_written(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.cast(schema).combine_chunks()
