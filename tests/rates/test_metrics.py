"""Rates: equal to the truth cell by cell, and never about fewer people than asked for."""

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import generate, metrics
from pipelines.rates.acceptance import DIMENSIONS, MERGED, gather_facts, rates
from pipelines.rates.tables import opened
from schemas.errors import InvalidOptions, OutputInUse
from schemas.registry import load
from tests.conftest import KEY_RING, read_rows, run_batch, sample, write_lines
from tests.support.servers import BUCKET, gcs_server
from transforms.core.output.layout import Output

DAYS = [date(2026, 3, 29), date(2026, 3, 30)]
SUMS = ("opportunities", "displays", "shown", "suggestions_without_display", "accepted_full", "accepted_partial",
        "rejected", "dismissed", "no_outcome", "accepted_chars", "requests", "failed_requests", "errors", "redactions",
        "observed_30s", "unobserved_30s", "observed_600s", "unobserved_600s")  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    generate.main([f"--output={folder}/day", "--events=8000", "--seed=21", "--date=2026-03-29"])
    run_batch(folder / "day" / "raw", folder / "out", "--close_open_suggestions")
    return folder


def truth_of(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "day" / "truth_acceptance.jsonl").read_text().splitlines()]


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda r: [(r[n] is None, r[n] or "") for n in ("received_date", *DIMENSIONS)])


def test_every_figure_of_every_cell_equals_the_truth(place: Path) -> None:
    metrics.main([f"--datasets={place}/out", "--min_installations=1"])
    found, truth = in_order(read_rows(place / "out", "acceptance")), truth_of(place)
    assert len(found) == len(truth) > 250
    assert set(found[0]) == {*truth[0], "merged_dimensions"}
    for row, expected in zip(found, truth, strict=True):
        for name, value in expected.items():
            same = row[name] == value or (isinstance(value, float) and math.isclose(row[name], value, rel_tol=1e-12))
            assert same, (name, row, expected)
    for name in (*SUMS, "acceptance_rate", "unchanged_600s_rate", "latency_p95_ms", "decision_p50_ms"):
        assert any(row[name] for row in truth), f"{name} is never there: the comparison would be empty"


@pytest.mark.parametrize("enough", [2, 10, 30])
def test_small_cells_go_together_and_nothing_is_lost(place: Path, enough: int) -> None:
    rows = metrics.compute_acceptance(Output(str(place / "out")), DAYS, enough).to_pylist()
    truth = truth_of(place)
    assert min(r["installations"] for r in rows) >= enough
    left_out = {d.isoformat() for d in DAYS} - {r["received_date"].isoformat() for r in rows}
    for name in SUMS:
        expected = sum(r[name] for r in truth if r["received_date"] not in left_out)
        assert sum(r[name] for r in rows) == expected, name
    keys = [(r["received_date"], *(r[d] for d in DIMENSIONS)) for r in rows]
    assert len(set(keys)) == len(keys)
    for row in rows:
        given_up = [row[d] == MERGED for d in DIMENSIONS]
        assert given_up == sorted(given_up)
        assert sum(given_up) == row["merged_dimensions"]
    assert any(r["merged_dimensions"] == 0 for r in rows) == (enough <= 10)


def test_a_day_of_too_few_installations_has_no_row(place: Path, tmp_path: Path) -> None:
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out", "--close_open_suggestions")
    args = [f"--datasets={tmp_path}/out"]
    metrics.main([*args, "--min_installations=1"])
    assert len(list(tmp_path.glob("out/acceptance/*/*.parquet"))) == 1
    metrics.main(args)
    assert not list(tmp_path.glob("out/acceptance/*/*.parquet"))


def people(draw: st.DrawFn) -> list[dict[str, Any]]:
    few = st.sampled_from([None, "a", "b", "c"])
    row = st.fixed_dictionaries({
        "installation_id": st.one_of(st.none(), st.integers(0, 12).map(str)),
        "received_date": st.sampled_from(DAYS), **dict.fromkeys(DIMENSIONS, few),
    })  # fmt: skip
    return draw(st.lists(row, min_size=1, max_size=60))


@settings(max_examples=40)
@given(rows=st.composite(people)(), enough=st.integers(1, 8))
def test_merging_keeps_its_promise_for_any_people(rows: list[dict[str, Any]], enough: int) -> None:
    """Every cell has enough people or its whole day has not; every row is in one cell; order changes nothing."""
    made = []
    for order in (rows, rows[::-1]):
        with opened(Output("/nonexistent")) as connection:
            gather_facts(connection)
            table = pa.Table.from_pylist(order, pa.schema([
                ("installation_id", pa.string()), ("received_date", pa.date32()),
                *((d, pa.string()) for d in DIMENSIONS)]))  # fmt: skip
            connection.register("drawn", table)
            connection.execute("insert into facts by name select *, true as is_redaction from drawn")
            made.append(rates(connection, ("received_date",), DIMENSIONS, enough))
    assert made[0].equals(made[1])
    by_day = {day: {r["installation_id"] for r in rows if r["received_date"] == day} - {None} for day in DAYS}
    expected = Counter(r["received_date"] for r in rows if len(by_day[r["received_date"]]) >= enough)
    found: Counter[date] = Counter()
    for row in made[0].to_pylist():
        assert row["installations"] >= enough
        found[row["received_date"]] += row["redactions"]
    assert found == expected


def test_one_day_alone_gives_what_all_days_give(place: Path) -> None:
    both = metrics.compute_acceptance(Output(str(place / "out")), DAYS, 3)
    for day in DAYS:
        alone = metrics.compute_acceptance(Output(str(place / "out")), [day], 3)
        assert alone.equals(both.filter(pc.equal(both["received_date"], pa.scalar(day))))


def test_writing_again_gives_the_same_bytes_and_columns_as_the_contract_says(place: Path) -> None:
    args = [f"--datasets={place}/out", "--min_installations=3"]
    metrics.main(args)
    files = sorted(place.glob("out/acceptance/*/*.parquet"))
    before = [f.read_bytes() for f in files]
    metrics.main([*args, "--date=2026-03-29"])
    assert [f.read_bytes() for f in files] == before
    import pyarrow.parquet as pq

    assert pq.read_schema(files[0]).names == load("acceptance").arrow.names


def test_repeated_displays_do_not_lower_the_rate(tmp_path: Path) -> None:
    """The shape of a public data set: 2,389 displays of 1,150 suggestions, 386 of them accepted."""
    lines = []
    for number in range(1150):
        again = 2 if number < 1149 else 2389 - 2 * 1149
        for display in range(again):
            lines.append(life_event("displays/pass/ghostText.shown", number, f"d{number}-{display}", display))
        if number < 386:
            lines.append(life_event("outcomes/pass/ghostText.accepted", number, f"a{number}", 2))
    run_batch(write_lines(tmp_path / "raw.ndjson", lines), tmp_path / "out", "--close_open_suggestions")
    with opened(Output(str(tmp_path / "out"))) as connection:
        gather_facts(connection)
        (row,) = rates(connection, (), (), 1).to_pylist()
    assert (row["displays"], row["shown"], row["accepted_full"], row["installations"]) == (2389, 1150, 386, 21)
    assert f"{row['acceptance_rate']:.1%}" == "33.6%"
    assert f"{row['accepted_full'] / row['displays']:.1%}" == "16.2%"


def life_event(name: str, number: int, event_id: str, second: int) -> dict[str, Any]:
    document = sample(name)
    properties = document["data"]["baseData"]["properties"]
    properties |= {
        "unique_id": event_id,
        "clientCompletionId": f"completion-{number}",
        "headerRequestId": f"request-{number}",
        "opportunityId": f"icr-{number}",
        "client_machineid": f"{number % 21:064x}",
    }
    stamp = date(2026, 3, 29)
    document["collector"]["received_at"] = f"{stamp}T10:{number % 60:02d}:{10 + second % 50:02d}Z"
    return document


def test_a_key_seen_on_two_days_counts_once(tmp_path: Path) -> None:
    lines = []
    for number, day in enumerate(("2026-03-28", "2026-03-29", "2026-03-31")):
        document = life_event("displays/pass/ghostText.shown", 7, f"d{number}", 0)
        document["collector"]["received_at"] = f"{day}T12:00:00Z"
        lines.append(document)
    run_batch(write_lines(tmp_path / "raw.ndjson", lines), tmp_path / "out", "--close_open_suggestions")
    days = [date(2026, 3, 28) + timedelta(days=n) for n in range(4)]
    rows = metrics.compute_acceptance(Output(str(tmp_path / "out")), days, 1).to_pylist()
    assert {r["received_date"].day: r["opportunities"] for r in rows} == {28: 1, 29: 0, 31: 1}


def test_refusals(place: Path, tmp_path: Path) -> None:
    from transforms.core.output.claim import claimed

    with pytest.raises(InvalidOptions, match="no ledger there"):
        metrics.main([f"--datasets={tmp_path}"])
    with pytest.raises(InvalidOptions, match=r"holds .* to 2026-03-30"):
        metrics.main([f"--datasets={place}/out", "--date=2031-01-01"])
    with pytest.raises(InvalidOptions, match="whole number from 1"):
        metrics.main([f"--datasets={place}/out", "--min_installations=0"])
    with claimed(Output(str(place / "out")), "_claim-acceptance.json"), pytest.raises(OutputInUse):
        metrics.main([f"--datasets={place}/out"])
    with claimed(Output(str(place / "out"))):  # as while the streaming job runs
        metrics.main([f"--datasets={place}/out"])


def test_on_an_object_store(tmp_path: Path) -> None:
    raw = write_lines(
        tmp_path / "raw.ndjson", [life_event("displays/pass/ghostText.shown", n, f"d{n}", 0) for n in range(25)]
    )
    with gcs_server(tmp_path) as environment:
        there = f"gs://{BUCKET}/out"
        given_ = {**os.environ, **environment}
        for command in (["batch", f"--input={raw}", f"--output={there}", f"--key_ring={KEY_RING}",
                         "--close_open_suggestions"], ["metrics", f"--datasets={there}"]):  # fmt: skip
            done = subprocess.run([sys.executable, "-m", f"pipelines.{command[0]}", *command[1:]], env=given_,
                                  capture_output=True, text=True, check=False)  # fmt: skip
            assert done.returncode == 0, done.stderr
    assert "25 shown, 0 accepted" in done.stdout


def test_every_column_is_defined() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    for column in load("acceptance").arrow.names:
        generic = re.sub(r"_(30|120|300|600)s", "_Ns", column)
        assert f"`{generic}`" in page or column in DIMENSIONS, column
