"""Files of the same rows are the same bytes, open with their schema, and hold what they were given."""

import io
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.registry import load
from transforms.core.output.layout import DATA_DATASETS, LEDGER
from transforms.core.output.parquet import parquet_bytes


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Any values of a column's type."""
    if pa.types.is_string(kind):
        return st.text(max_size=8)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_integer(kind):
        top = 2 ** (kind.bit_width - 1) - 1
        return st.integers(-top, top)
    if pa.types.is_floating(kind):
        return st.floats(allow_nan=False)
    if pa.types.is_timestamp(kind):
        return st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))
    if pa.types.is_date(kind):
        return st.dates()
    if pa.types.is_map(kind):
        values = values_of(kind.item_type) if not pa.types.is_integer(kind.item_type) else st.integers(0, 2**40)
        return st.dictionaries(st.text(max_size=4), values, max_size=3).map(lambda d: [*d.items()])
    return st.binary(max_size=16)


def rows_of(dataset: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    columns = {
        f.name: values_of(f.type) if not f.nullable else st.none() | values_of(f.type) for f in load(dataset).arrow
    }
    return st.lists(st.fixed_dictionaries(columns), max_size=5)


@pytest.mark.parametrize("dataset", [*DATA_DATASETS, LEDGER])
@settings(max_examples=15)
@given(st.data())
def test_what_goes_in_comes_out(dataset: str, data: st.DataObject) -> None:
    table = pa.Table.from_pylist(data.draw(rows_of(dataset)), schema=load(dataset).arrow)
    written = parquet_bytes(dataset, table, None)
    assert written == parquet_bytes(dataset, table, None)
    file = pq.ParquetFile(io.BytesIO(written))
    assert file.read().replace_schema_metadata(None).equals(table.replace_schema_metadata(None))
    assert file.schema_arrow.metadata[b"dataset"] == dataset.encode()
    assert file.schema_arrow.names == load(dataset).arrow.names


def test_a_row_costs_little_beside_its_footer_and_pages_are_indexed_where_there_are_many() -> None:
    sizes = []
    for rows in (1, 40_000):
        row = {f.name: None if f.nullable else _NOTHING[str(f.type)] for f in load("displays").arrow}
        table = pa.Table.from_pylist([row | {"event_id": f"{n:032x}"} for n in range(rows)], load("displays").arrow)
        written = parquet_bytes("displays", table, None)
        sizes.append(len(written))
        column = pq.read_metadata(io.BytesIO(written)).row_group(0).column(0)
        assert column.has_column_index == column.has_offset_index == (rows > 1)
        assert (column.statistics.min, column.statistics.max) == (f"{0:032x}", f"{rows - 1:032x}")
    assert sizes[0] < 8 * 1024 < sizes[1]


_NOTHING = {
    "string": "",
    "int32": 0,
    "int64": 0,
    "bool": False,
    "timestamp[us, tz=UTC]": datetime(2026, 3, 31, tzinfo=UTC),
}
