"""Rows: whatever number of events, each with its own stamp, line and place; ids for those that send none."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.registry import LEVELS, PERMITTED, load
from tests.conftest import sample
from transforms.core.carried import CLIENT_IP, LEVEL, SNIPPET_CONSENT
from transforms.core.consent import Collector, rank_of
from transforms.core.decoding.columns import WireArrays
from transforms.core.decoding.envelopes import decode_event, event_digest
from transforms.core.decoding.expected import WrongValues
from transforms.core.decoding.rows import _SETTLE_ROWS, Rows, decoded_columns, event_ids, mark_lacking, stamp_columns
from transforms.core.decoding.wire import BaseData, Data, Envelope

DISPLAYS = load("displays")
STAMPS = st.builds(
    Collector,
    st.sampled_from(["2026-03-29T10:00:00Z", "1999-12-31T23:59:59Z", "noon", None]),
    st.sampled_from(["8.8.8.8", "", None]),
    st.sampled_from([*PERMITTED, "ALL", "", None]),
    st.sampled_from([True, False, None]),
)


def line_of(number: int) -> bytes:
    document = sample()
    document["data"]["baseData"]["properties"] |= {"unique_id": f"event-{number}", "choiceIndex": str(number)}
    return json.dumps(document).encode()


@given(st.lists(STAMPS, min_size=1, max_size=8))
def test_stamps_become_columns_and_permit_no_more_than_they_say(stamps: list[Collector]) -> None:
    arrays = WireArrays("displays")
    arrays.absorb([Envelope(Data(BaseData()), collector=stamp) for stamp in stamps])
    columns = {name: column.to_pylist() for name, column in stamp_columns(arrays).items()}
    assert columns[LEVEL] == [rank_of(stamp) for stamp in stamps]
    assert columns[CLIENT_IP] == [stamp.client_ip for stamp in stamps]
    is_all = [stamp.telemetry_level == "all" for stamp in stamps]
    assert columns[SNIPPET_CONSENT] == [bool(s.snippet_consent) and a for s, a in zip(stamps, is_all, strict=True)]
    assert [t is not None for t in columns["received_at"]] == [s.received_at == "2026-03-29T10:00:00Z" for s in stamps]
    assert max(columns[LEVEL]) <= LEVELS.index("usage")


@pytest.mark.parametrize("count", [1, _SETTLE_ROWS - 1, _SETTLE_ROWS, _SETTLE_ROWS + 1, 3 * _SETTLE_ROWS + 7])
def test_rows_stay_beside_their_lines_however_often_they_settle(count: int) -> None:
    rows, lines = Rows("displays"), [line_of(number) for number in range(count)]
    for number, line in enumerate(lines):
        rows.add(decode_event(line), number, "ghostText.shown")
        if number % 100 == 0:
            rows.settle()
    rows.settle()
    rows.settle()
    columns, wrong = decoded_columns(DISPLAYS, rows, lines, is_primary=True)
    assert columns["event_id"].to_pylist() == [f"event-{number}" for number in range(count)]
    assert columns["choice_index"].to_pylist() == rows.numbers == list(range(count))
    assert {len(column) for column in columns.values()} == {count}
    assert not wrong.rows.any()
    assert columns["is_primary"].to_pylist() == [True] * count


@given(st.lists(st.none() | st.sampled_from(["a", "b"]), min_size=1, max_size=6))
@settings(max_examples=30)
def test_an_event_without_an_id_is_named_by_its_digest(ids: list[str | None]) -> None:
    lines = [line_of(number) for number in range(len(ids))]
    numbers = list(range(len(ids)))[::-1]
    found = event_ids(pa.array(ids, pa.string()), lines, numbers).to_pylist()
    assert found == [own or event_digest(lines[number]) for own, number in zip(ids, numbers, strict=True)]


def test_a_row_that_lacks_what_the_schema_requires_is_marked() -> None:
    columns: dict[str, Any] = {
        "event_id": pa.array(["a", None]),
        "received_at": pa.array([None, None], pa.timestamp("us", "UTC")),
    }
    wrong = WrongValues(DISPLAYS, 2)
    mark_lacking(wrong, DISPLAYS, columns)
    assert wrong.rows.tolist() == [True, True]
    assert [wrong.of(row).name for row in (0, 1)] == ["received_at", "event_id"]
