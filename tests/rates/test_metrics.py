"""Rates: equal to the truth cell by cell, and never about fewer people than asked for."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines import generate, metrics
from pipelines.rates.acceptance import rates
from pipelines.rates.cells import MERGED
from pipelines.rates.facts import DIMENSIONS, gather_facts
from pipelines.rates.kinds import ANY, KINDS
from pipelines.rates.tables import opened
from pipelines.releasing import telling
from schemas.errors import InvalidOptions, OutputInUse
from schemas.registry import load
from tests.conftest import KEY_RING, read_rows, run_batch, sample, write_lines
from tests.support.servers import BUCKET, gcs_server
from transforms.core.output.layout import Output

EXACT = "--privacy_epsilon=none"
DAYS = [date(2026, 3, 29), date(2026, 3, 30)]
SUMS = ("opportunities", "displays", "shown", "suggestions_without_display", "accepted_full", "accepted_partial",
        "rejected", "dismissed", "no_outcome", "typed_over", "accepted", "decided", "hidden", "ignored", "accepted_chars",
        "accepted_chars_unknown", "requests", "failed_requests", "errors", "redactions", "latency_known",
        "time_until_shown_known", "observed_30s", "unobserved_30s", "observed_600s", "unobserved_600s",
        "four_gram_observed_900s", "four_gram_unobserved_900s", "no_revert_observed_5s", "retained_observed_30s",
        "retained_unobserved_30s", "retained_30s_chars", "retained_30s_of_chars")  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    generate.main([f"--output={folder}/day", "--events=8000", "--seed=21", "--date=2026-03-29"])
    run_batch(folder / "day" / "raw", folder / "out", "--close_open_suggestions")
    return folder


def truth_of(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "day" / "truth_acceptance.jsonl").read_text().splitlines()]


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda r: [(r[n] is None, r[n] or "") for n in ("received_date", "kind", *DIMENSIONS)])


def test_every_figure_of_every_cell_equals_the_truth(place: Path) -> None:
    metrics.main([f"--datasets={place}/out", "--min_installations=1", EXACT])
    found, truth = in_order(read_rows(place / "out", "acceptance")), truth_of(place)
    assert len(found) == len(truth) > 400
    known = {name for cell in truth for name in cell}
    of_noise = {n for n in found[0] if n.endswith("_se")} | {"privacy_epsilon", "publication"}
    assert {*found[0]} == {*known, "merged_dimensions"} | of_noise
    assert {row[name] for row in found for name in of_noise} == {None}
    for row, expected in zip(found, truth, strict=True):
        for name in known:
            value = expected.get(name)  # what the kind does not tell is not in the truth, and null in the row
            same = row[name] == value or (isinstance(value, float) and math.isclose(row[name], value, rel_tol=1e-9))
            assert same, (name, row, expected)
    told = {name for cell in truth for name, value in cell.items() if value}
    assert {name for name in known - told if "_60s" not in name} == set(), "never there: the comparison would be empty"
    assert {cell["kind"] for cell in truth} == {*KINDS, ANY}


def test_what_a_kind_does_not_tell_is_null_in_every_row_of_it(place: Path) -> None:
    rows = metrics.compute_acceptance(Output(str(place / "out")), DAYS, 1).to_pylist()
    nulls = {
        kind: {n for n in rows[0] if all(r[n] is None for r in rows if r["kind"] == kind)} for kind in (*KINDS, ANY)
    }
    assert {"shown", "shown_rate", "opportunities", "hide_rate", "accepted_chars", "latency_p95_ms"} <= nulls[
        "agent_edit"
    ]
    assert {"shown", "shown_rate", "ignore_rate", "observed_30s", "retained_30s_chars"} <= nulls["inline_chat"]
    assert {"observed_30s", "unchanged_30s_rate", "dismissed", "accepted_partial", "decision_p50_ms"} <= nulls[
        "next_edit"
    ]
    assert {"four_gram_30s_ratio", "four_gram_observed_30s", "requests", "errors"} <= nulls["ghost_text"]
    assert {"shown", "accepted", "acceptance_rate", "accepted_chars", "latency_p50_ms"} <= nulls[ANY]
    assert not {"installations", "kind", "received_date"} & set().union(*nulls.values())


def test_a_replayed_display_is_in_no_latency(place: Path) -> None:
    """A completion from a cache was asked for minutes ago: with it the generated 95th percentile is above 60 s."""
    with opened(Output(str(place / "out"))) as connection:
        gather_facts(connection)
        (row,) = (r for r in rates(connection, (), (), 1).to_pylist() if r["kind"] == "ghost_text")
        ((all_ms, known),) = connection.sql("""
            select quantile_cont(latency_ms, 0.95), count(*) filter (display_source in ('async', 'network'))
            from suggestions where kind = 'ghost_text' and display_count > 0""").fetchall()
    assert row["latency_known"] == known < row["shown"]
    assert row["latency_p95_ms"] < all_ms


@pytest.mark.parametrize("enough", [2, 10, 30])
def test_small_cells_go_together_and_nothing_is_lost(place: Path, enough: int) -> None:
    rows = metrics.compute_acceptance(Output(str(place / "out")), DAYS, enough).to_pylist()
    truth = truth_of(place)
    assert min(r["installations"] for r in rows) >= enough
    published = {(r["received_date"].isoformat(), r["kind"]) for r in rows}
    for name in SUMS:
        expected = sum(r.get(name) or 0 for r in truth if (r["received_date"], r["kind"]) in published)
        assert sum(r[name] or 0 for r in rows) == expected, name
    keys = [(r["received_date"], r["kind"], *(r[d] for d in DIMENSIONS)) for r in rows]
    assert len(set(keys)) == len(keys)
    for row in rows:
        given_up = [row[d] == MERGED for d in DIMENSIONS]
        assert given_up == sorted(given_up)
        assert sum(given_up) == row["merged_dimensions"]
    assert any(r["merged_dimensions"] == 0 for r in rows) == (enough <= 10)


def test_what_is_given_up_first_is_as_asked_and_told_kind_by_kind(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "out", tmp_path / "out")
    metrics.main([f"--datasets={tmp_path}/out", EXACT, "--min_installations=3", "--give_up=language, engine"])
    order = ("language", "engine", "country", "extension_version")
    rows = read_rows(tmp_path / "out", "acceptance")
    for row in rows:
        lost = [row[name] == MERGED for name in order]
        assert lost == sorted(lost, reverse=True), "who gave up one gave up those before it"
    assert any(r["language"] == MERGED != r["country"] for r in rows)
    told = dict(re.findall(r"^(\w+): .*; gave up (.*)$", capsys.readouterr().out, re.MULTILINE))
    assert {*told} == {*KINDS}
    for kind, text in told.items():
        of = "shown" if kind in ("ghost_text", "next_edit") else "decided"
        whole = sum(r[of] for r in rows if r["kind"] == kind)
        lost = {n: sum(r[of] for r in rows if r["kind"] == kind and r[n] == MERGED) / whole for n in order}
        assert [word.split(":")[0] for word in text.split(", ")] == [n for n in order if lost[n]]
        for name, percent in re.findall(r"(\w+): (\d+) %", text):
            assert abs(lost[name] * 100 - int(percent)) <= 0.5 or 0 in (lost[name], 1 - lost[name])


@pytest.mark.parametrize(("share", "text"), [(1, "100 %"), (0.999, ">99 %"), (0.0001, "<1 %"), (0.034, "3 %")])
def test_nearly_all_is_not_all_and_nearly_nothing_not_nothing(share: float, text: str) -> None:
    assert telling._percent(share) == text


def test_a_day_of_too_few_installations_has_no_row(place: Path, tmp_path: Path) -> None:
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out", "--close_open_suggestions")
    args = [f"--datasets={tmp_path}/out", EXACT]
    metrics.main([*args, "--min_installations=1"])
    assert len(list(tmp_path.glob("out/acceptance/*/*.parquet"))) == 1
    metrics.main(args)
    assert not list(tmp_path.glob("out/acceptance/*/*.parquet"))


def test_one_day_alone_gives_what_all_days_give(place: Path) -> None:
    both = metrics.compute_acceptance(Output(str(place / "out")), DAYS, 3)
    for day in DAYS:
        alone = metrics.compute_acceptance(Output(str(place / "out")), [day], 3)
        assert alone.equals(both.filter(pc.equal(both["received_date"], pa.scalar(day))))


def test_writing_again_gives_the_same_bytes_and_columns_as_the_contract_says(place: Path) -> None:
    args = [f"--datasets={place}/out", EXACT, "--min_installations=3"]
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
        (row,) = (r for r in rates(connection, (), (), 1).to_pylist() if r["kind"] == "ghost_text")
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
    of_ghost_text = {r["received_date"].day: r["opportunities"] for r in rows if r["kind"] == "ghost_text"}
    assert of_ghost_text == {28: 1, 29: 0, 31: 1}


def test_requests_of_a_chat_are_no_chance_to_show_ghost_text(tmp_path: Path) -> None:
    """Chats and next edits send `request.sent`, too; they halved the shown rate."""
    lines = [life_event("displays/pass/ghostText.shown", n, f"d{n}", 0) for n in range(3)]
    for number, place in enumerate(("editingSessionAgent", "conversationPanel", "none", "ghostText")):
        request = life_event("requests/pass/request.sent", 100 + number, f"r{number}", 1)
        said = request["data"]["baseData"]["properties"]
        said |= {"uiKind": place}
        said.pop("opportunityId", None)
        lines.append(request)
    run_batch(write_lines(tmp_path / "raw.ndjson", lines), tmp_path / "out", "--close_open_suggestions")
    rows = metrics.compute_acceptance(Output(str(tmp_path / "out")), [date(2026, 3, 29)], 1).to_pylist()
    assert sum(r["opportunities"] or 0 for r in rows if r["kind"] == "ghost_text") == 4
    assert sum(r["requests"] or 0 for r in rows) == 4


def test_refusals(place: Path, tmp_path: Path) -> None:
    from transforms.core.output.claim import claimed

    with pytest.raises(InvalidOptions, match="no ledger there"):
        metrics.main([f"--datasets={tmp_path}"])
    with pytest.raises(InvalidOptions, match=r"holds .* to 2026-03-30"):
        metrics.main([f"--datasets={place}/out", "--date=2031-01-01"])
    with pytest.raises(InvalidOptions, match="whole number from 1"):
        metrics.main([f"--datasets={place}/out", "--min_installations=0"])
    for order in ("kind", "country,country", "", "country,"):
        with pytest.raises(InvalidOptions, match="allowed are country, engine, extension_version, language"):
            metrics.main([f"--datasets={place}/out", f"--give_up={order}"])
    with claimed(Output(str(place / "out")), "_claim-acceptance.json"), pytest.raises(OutputInUse):
        metrics.main([f"--datasets={place}/out"])
    with claimed(Output(str(place / "out"))):  # as while the streaming job runs
        metrics.main([f"--datasets={place}/out", EXACT])


def test_on_an_object_store(tmp_path: Path) -> None:
    raw = write_lines(
        tmp_path / "raw.ndjson", [life_event("displays/pass/ghostText.shown", n, f"d{n}", 0) for n in range(25)]
    )
    with gcs_server(tmp_path) as environment:
        there = f"gs://{BUCKET}/out"
        given_ = {**os.environ, **environment}
        for command in (["batch", f"--input={raw}", f"--output={there}", f"--key_ring={KEY_RING}",
                         "--close_open_suggestions"], ["metrics", f"--datasets={there}", EXACT]):  # fmt: skip
            done = subprocess.run([sys.executable, "-m", f"pipelines.{command[0]}", *command[1:]], env=given_,
                                  capture_output=True, text=True, check=False)  # fmt: skip
            assert done.returncode == 0, done.stderr
    assert "25 shown, 0 accepted" in done.stdout


def query_of_readme(word: str) -> str:
    """The one query of the README that holds the word, as it stands there."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (found,) = (q for q in re.findall(r'duckdb\.sql\(f?"""(.*?)"""', readme, re.DOTALL) if word in q)
    return str(found)


def test_what_the_readme_asks_of_suggestions_is_what_acceptance_says(place: Path) -> None:
    """Another way to the same figures: rows of suggestions, as an analyst asks them."""
    with opened(Output(str(place / "out"))) as connection:
        gather_facts(connection)
        by_kind = {row["kind"]: row for row in rates(connection, (), (), 1).to_pylist()}
    output = str(place / "out")
    for seconds in (30, 300, 900):
        query = query_of_readme("looked_at").replace("{seconds}", str(seconds)).replace("demo/datasets", output)
        (found,) = duckdb.sql(query).to_arrow_table().to_pylist()
        row = by_kind["next_edit"]
        assert (found["accepted"], found["looked_at"]) == (row["accepted"], row[f"four_gram_observed_{seconds}s"])
        for name, column in (("four_gram", "four_gram"), ("no_revert", "no_revert"), ("retained_chars", "retained")):
            assert found[name] == pytest.approx(row[f"{column}_{seconds}s_ratio"], abs=0.0005), (name, seconds)
    rows = duckdb.sql(query_of_readme("hide_rate").replace("demo/datasets", output)).to_arrow_table().to_pylist()
    for kind in ("ghost_text", "next_edit"):
        of_kind = [r for r in rows if r["kind"] == kind]
        assert sum(r["shown"] for r in of_kind) == by_kind[kind]["shown"]
        for name in ("acceptance_rate", "hide_rate", "ignore_rate"):
            mean = sum(r["shown"] * r[name] for r in of_kind) / by_kind[kind]["shown"]
            assert mean == pytest.approx(by_kind[kind][name], abs=0.0006), (kind, name)


def test_every_column_is_defined() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    for column in load("acceptance").arrow.names:
        generic = re.sub(r"_\d+s", "_Ns", column)
        assert f"`{generic}`" in page or column in DIMENSIONS, column
