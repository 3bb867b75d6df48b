"""An output's datasets as tables of a DuckDB connection."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import duckdb
import pyarrow as pa

from pipelines.running.sql import connected
from schemas.errors import InvalidOptions, StorageUnavailable
from schemas.registry import EVENT_DATASETS, SUGGESTIONS, load
from transforms.core import storage
from transforms.core.output.layout import LEDGER, OUTPUT_FILE, Listing, Output

TABLES = ("requests", "displays", "outcomes", "redactions", "errors", "quarantine", SUGGESTIONS, LEDGER)
"""Datasets that a table is made of; `snippets` is none of them."""


_OURS = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException)
"""Errors of a query of ours. Damaged files have no class of their own: bytes changed inside raise a plain Error."""


def existing_days(output: Output) -> list[date]:
    """The received_dates of an output's ledger; none where a run began it and did no more.

    Raises InvalidOptions where it is no output.
    """
    days = output.listing().days(LEDGER)
    if not days and not storage.exists(output.beside(OUTPUT_FILE)):
        raise InvalidOptions(f"--datasets {output}: no ledger there")
    return days


def has_landed(output: Output) -> bool:
    """Whether any event of any day landed."""
    return any(output.listing().files(*EVENT_DATASETS))


@contextmanager
def opened(output: Output, days: Sequence[date] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a view for each of TABLES, `received_date` among its columns; all days or only these.

    Reads no other file than ours and never asks a network for extensions. What
    does not fit in memory is spilled to a folder that goes with the connection.
    Raises StorageUnavailable where a file cannot be read while the block runs.
    """
    with tempfile.TemporaryDirectory(prefix="telemetry-") as spill, connected(output, spill) as connection:
        listing = output.listing()
        try:
            for dataset in TABLES:
                _create_view(connection, dataset, listing, days)
            yield connection
        except _OURS:
            raise
        except duckdb.Error as cause:
            raise StorageUnavailable(f"cannot read {output}: {type(cause).__name__}") from None


def _create_view(
    connection: duckdb.DuckDBPyConnection, dataset: str, listing: Listing, days: Sequence[date] | None
) -> None:
    wanted = [day for day in listing.days(dataset) if days is None or day in days]
    files = [file.path for file in listing.files(dataset, days=wanted)]
    schema = pa.schema([pa.field(f.name, f.type) for f in load(dataset).arrow])
    empty = schema.append(pa.field("received_date", pa.date32())).empty_table()
    if not files:
        connection.register(dataset, empty)
        return
    rows = connection.read_parquet(files, hive_partitioning=True, union_by_name=True)
    if set(rows.columns) >= set(schema.names):
        rows.create_view(dataset)
        return
    # All files are older than a column, which is null then. The columns come first from no rows, with their types.
    rows.create_view(f"older {dataset}")
    connection.register(f"no {dataset}", empty)
    connection.execute(f'create temp view "{dataset}" as from "no {dataset}" union all by name from "older {dataset}"')
