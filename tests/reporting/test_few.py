"""What one person of a crowd alone reported is not told as the crowd's."""

from datetime import UTC, datetime

import pyarrow as pa

from pipelines.rates.acceptance import rates
from pipelines.rates.facts import gather_facts
from pipelines.rates.tables import opened
from pipelines.reporting.few import MEASURES, without_few
from schemas.registry import load
from transforms.core.output.layout import Output

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def test_a_time_that_only_some_know_is_hidden_and_what_enough_know_stays() -> None:
    schema = pa.schema([pa.field(f.name, f.type) for f in load("suggestions").arrow]).append(
        pa.field("received_date", pa.date32())
    )
    base = {"received_date": NOON.date(), "kind": "ghost_text", "display_count": 1, "display_source": "network",
            "outcome": "accepted", "latency_ms": 300.0, "persistence_30s": "unchanged", "language": "go"}  # fmt: skip
    rows = [{**base, "installation_id": str(n)} for n in range(5)]
    rows[0] |= {"time_until_shown_ms": 123.0, "retained_30s_chars": 9, "original_chars": 10}
    rows[1] |= {"persistence_15s": "changed", "language": "rust", "latency_ms": 777.0}
    rows += [{**base, "installation_id": "1", "language": "rust", "latency_ms": None}]
    with opened(Output("/nonexistent")) as connection:
        connection.register("suggestions", pa.Table.from_pylist(rows, schema))
        gather_facts(connection)
        (told,) = without_few(connection, rates(connection, (), (), 3).filter(_is_ghost_text).to_pylist(), ("kind",), 3)
        by = rates(connection, (), ("language",), 1).to_pylist()
        found = {(r["kind"], r["language"]): r for r in without_few(connection, by, ("kind", "language"), 2)}
    assert (told["latency_known"], told["latency_p50_ms"], told["observed_30s"]) == (5, 300, 6)
    assert told["unchanged_30s_rate"] == 1
    for name in ("time_until_shown_known", "time_until_shown_p50_ms", "retained_30s_ratio", "observed_15s",
                 "unchanged_15s_rate"):  # fmt: skip
        assert told[name] is None, name
    assert told["decision_known"] == 0, "nobody's is nobody's secret"
    assert told["acceptance_rate"] == 1
    assert found["ghost_text", "rust"]["latency_p50_ms"] is None
    assert found["ghost_text", "go"]["latency_p50_ms"] == 300


_is_ghost_text = pa.compute.field("kind") == "ghost_text"


def test_every_figure_that_is_hidden_is_one_of_a_row() -> None:
    with opened(Output("/nonexistent")) as connection:
        gather_facts(connection)
        names = {*rates(connection, (), (), 1).schema.names}
    assert {figure for figures in MEASURES.values() for figure in figures} <= names
