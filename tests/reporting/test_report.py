"""The page in a real Chromium: its figures are those of the datasets, and it needs nothing but itself."""

import itertools
import json
import math
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from playwright.sync_api import Browser, Page

from pipelines import metrics, report
from pipelines.rates.kinds import KINDS
from pipelines.rates.tables import existing_days
from pipelines.reporting import texts
from pipelines.reporting.figures import gather_figures
from schemas.errors import InvalidOptions
from tests.conftest import read_rows, run_batch, sample, write_lines
from tests.reporting.browser import FEW, opened
from transforms.core.output.layout import Output
from transforms.core.protecting import words


def values_on(page: Page) -> dict[str, float]:
    found = page.evaluate(
        "[...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.dataset.value, e.innerText])"
    )
    for name, value, text in found:
        assert written(float(value), text), (name, value, text)
    return {name: float(value) for name, value, _ in found}


def written(value: float, text: str) -> bool:
    """Whether the text that a person sees is the value, as a count, a share, or a time."""
    ways = (f"{value:,.0f}", f"{value:.1%}", texts.span(value), f"{value:,.1f}")
    return text in ways or text.endswith("%")  # rows without a place show their share


def expected_on(place: Path) -> dict[str, float]:
    """The same figures, from the truth and from the files, without the report's queries."""
    truth = json.loads((place / "day" / "truth.json").read_text())
    cells = [json.loads(line) for line in (place / "day" / "truth_acceptance.jsonl").read_text().splitlines()]
    figures: dict[str, float] = {"events": truth["events"], "landed": truth["landed"]}
    for kind in KINDS:
        figures |= {f"{kind}.{name}": value for name, value in _of_kind(place, cells, kind).items()}
    figures |= {f"tile.{kind}": figures[f"{kind}.acceptance_rate"] for kind in ("ghost_text", "next_edit")}
    return figures | _from_events(place, cells) | _by_dimension(cells) | _from_ledger(place, truth)


COUNTS = ("opportunities", "shown", "decided", "accepted", "displays", "accepted_full", "accepted_partial", "rejected",
          "dismissed", "typed_over", "ignored")  # fmt: skip


def _of_kind(place: Path, cells: list[dict[str, Any]], kind: str) -> dict[str, float]:
    """Counts from the truth's cells, what is ranked or distinct from the rows of suggestions."""
    told = [cell for cell in cells if cell["kind"] == kind]
    total = {n: sum(c[n] for c in told) for n in (*COUNTS, "hidden", "accepted_chars") if n in told[0]}
    rows = pl.read_parquet(place / "out" / "suggestions" / "*" / "*.parquet").filter(pl.col("kind") == kind)
    shown = rows.filter(pl.col("display_count") > 0)
    on_page = COUNTS if kind == "ghost_text" else COUNTS[:4]
    figures: dict[str, float] = {name: total[name] for name in on_page if name in total}
    figures["installations"] = len(_everyone(place, kind))
    accepted = (shown if len(shown) else rows).filter(pl.col("outcome").is_in(["accepted", "partially_accepted"]))
    figures["acceptance_rate"] = len(accepted) / (total["shown"] if "shown" in total else total["decided"])
    if len(shown):
        figures["shown_rate"] = total["shown"] / total["opportunities"]
        figures["hide_rate"], figures["ignore_rate"] = (total[n] / total["shown"] for n in ("hidden", "ignored"))
        figures["accepted_chars_per_opportunity"] = total["accepted_chars"] / total["opportunities"]
        figures |= _by_chars(accepted) | _times(kind, shown)
    if kind == "ghost_text":
        hours = _hours(place, kind)
        return figures | _by_distance(accepted) | {"accepted_chars_per_active_hour": total["accepted_chars"] / hours}
    return figures | _by_ratio(rows if kind == "agent_edit" else accepted)


def _times(kind: str, shown: pl.DataFrame) -> dict[str, float]:
    waited = pl.col("display_source").is_in(["async", "network"]) if kind == "ghost_text" else ~pl.col("is_from_cache")
    columns = {"latency": shown.filter(waited)["latency_ms"]}
    if kind == "ghost_text":
        columns["decision"] = shown["decision_ms"]
    columns["time_until_shown"] = shown["time_until_shown_ms"]
    found: dict[str, float] = {}
    for name, values in columns.items():
        found[f"{name}_known"] = values.count()
        if values.count():
            found |= {f"{name}_p{p}_ms": values.quantile(p / 100, "linear") for p in (50, 95)}  # type: ignore[misc]
    return found | {"slow_rate": (columns["latency"] > 5000).sum() / columns["latency"].count()}


def _by_distance(accepted: pl.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for check_s in (15, 30, 120, 300, 600):
        states = accepted[f"persistence_{check_s}s"]
        observed = states.is_in(["unchanged", "mostly_unchanged", "changed", "removed"]).sum()
        unchanged, mostly = ((states == word).sum() for word in ("unchanged", "mostly_unchanged"))
        found[f"observed_{check_s}s"] = observed
        found[f"unobserved_{check_s}s"] = (states == "unobserved").sum()
        found[f"unchanged_{check_s}s_rate"] = unchanged / observed
        found[f"mostly_unchanged_{check_s}s_rate"] = (unchanged + mostly) / observed
    return found


def _by_ratio(followed: pl.DataFrame) -> dict[str, float]:
    names = [f"{method}_{s}s_ratio" for method in ("four_gram", "no_revert") for s in report.SURVIVAL_DRAWN_S]
    return {name: followed[name].mean() for name in names}  # type: ignore[misc]


def _by_chars(accepted: pl.DataFrame) -> dict[str, float]:
    found = {}
    for check_s in report.SURVIVAL_DRAWN_S:
        known = accepted.filter(pl.col(f"retained_{check_s}s_chars").is_not_null() & (pl.col("original_chars") > 0))
        found[f"retained_{check_s}s_ratio"] = known[f"retained_{check_s}s_chars"].sum() / known["original_chars"].sum()
    return found


def _frames(place: Path) -> dict[str, pl.DataFrame]:
    return {
        n: pl.read_parquet(place / "out" / n / "*" / "*.parquet", hive_partitioning=True)
        for n in ("requests", "displays", "outcomes", "redactions", "errors", "suggestions")
    }


def _active(place: Path, kind: str) -> pl.DataFrame:
    """Who asked for, saw or decided on ghost text or next edits, and when; of other kinds nobody knows when."""
    frames, who = _frames(place), ["installation_id", "occurred_at"]
    of_ghost_text = pl.col("event_name").str.starts_with("ghostText.") | (
        pl.col("request_ui").fill_null("ghostText") == "ghostText"
    )
    asked = [frames["requests"].filter(of_ghost_text).select(who)] if kind == "ghost_text" else []
    told = [frames[n].filter(pl.col("kind") == kind).select(who) for n in ("displays", "outcomes")]
    return pl.concat([*asked, *(told if kind in ("ghost_text", "next_edit") else [f.head(0) for f in told])])


def _everyone(place: Path, kind: str) -> set[str]:
    suggested = _frames(place)["suggestions"].filter(pl.col("kind") == kind)["installation_id"]
    return {*suggested, *_active(place, kind)["installation_id"]}


def _hours(place: Path, kind: str) -> int:
    hours = _active(place, kind).select("installation_id", pl.col("occurred_at").dt.truncate("1h"))
    return len(hours.unique())


def _from_events(place: Path, cells: list[dict[str, Any]]) -> dict[str, float]:
    columns = ["installation_id", "received_at", "occurred_at", "country", "city"]
    frames = _frames(place)
    frames.pop("suggestions")
    events = pl.concat([f.select("received_date", *columns) for f in frames.values()])
    keys = frames["errors"].filter(pl.col("expires_at").is_not_null())
    told = [*(f for n, f in frames.items() if n != "errors"), _frames(place)["suggestions"]]
    everyone = {i for f in told for i in f["installation_id"]}
    signed_in = set(frames["errors"].filter(pl.col("event_name") == "auth.new_token")["installation_id"])
    assert signed_in <= everyone, "people who only signed in are in no figure: draw another seed"
    everyone |= {*frames["errors"]["installation_id"]}
    figures = {
        "installations": len(everyone),
        **{n: sum(c.get(n, 0) for c in cells) for n in ("requests", "failed_requests")},
        "keys": len(keys),
        "keys.expired": (keys["expires_at"] < keys["received_at"]).sum(),
        "keys.refused": 0,
        "without_country": events["country"].null_count(),
        "without_city": events["city"].null_count(),
    }
    by_day = events.group_by("received_date").agg(pl.len(), pl.col("installation_id").n_unique()).rows()
    return figures | {f"freshness.{day}": count for day, count, people in by_day if people >= FEW}


def _by_dimension(cells: list[dict[str, Any]]) -> dict[str, float]:
    """Of languages, versions and countries that nobody had to give up."""
    figures = {}
    for kind in ("ghost_text", "next_edit"):
        for dimension in ("language", "extension_version", "country"):
            for value in {cell[dimension] for cell in cells} - {None}:
                of_value = [cell for cell in cells if cell[dimension] == value and cell["kind"] == kind]
                shown, accepted = (sum(c[n] for c in of_value) for n in ("shown", "accepted"))
                if shown:
                    figures[f"by_{dimension}.{kind}.shown.{value}"] = shown
                    figures[f"by_{dimension}.{kind}.acceptance_rate.{value}"] = accepted / shown
    return figures


def _from_ledger(place: Path, truth: dict[str, Any]) -> dict[str, float]:
    figures: Counter[str] = Counter()
    for row in read_rows(place / "out", "ledger"):
        for name in ("scrubbed", "withheld_fields", "rows"):
            figures.update({f"{name}.{key}": count for key, count in row[name]})
    for name in ("withheld", "quarantined", "outside_contract"):
        figures.update({f"{name}.{key}": count for key, count in truth[name].items()})
    figures.update({f"unjoined.{key}": count for key, count in truth["lives"]["unjoined"].items()})
    return dict(figures)


def test_every_figure_on_the_page_is_that_of_the_datasets(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html")
    found, expected = values_on(page), expected_on(place)
    assert set(found) == set(expected)
    for name, value in found.items():
        assert math.isclose(value, expected[name], rel_tol=1e-9), (name, value, expected[name])
    assert len(found) > 90


def test_bars_bear_the_figures_of_their_tables(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html")
    words = set(page.evaluate("[...document.querySelectorAll('svg text')].map(e => e.textContent)"))
    figures = gather_figures(Output(str(place / "out")), existing_days(Output(str(place / "out"))), FEW)
    ghost_text = figures.kinds["ghost_text"]
    for row in (r for r in figures.by_dimension["language"] if r["kind"] == "ghost_text"):
        assert {row["language"], f"{row['acceptance_rate']:.1%} of {row['shown']:,}"} <= words
    for count in (ghost_text["opportunities"], ghost_text["shown"]):
        assert any(w.split(" ")[0] == f"{count:,}" for w in words)
    assert f"{figures.books.landed:,} ({figures.books.landed / figures.books.events:.1%})" in words


def test_bins_of_latency_and_who_waits_too_long_are_what_duckdb_says(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html")
    figures = gather_figures(Output(str(place / "out")), existing_days(Output(str(place / "out"))), FEW)
    said = page.evaluate("[...document.querySelectorAll('svg [aria-label]')].map(e => e.getAttribute('aria-label'))")
    assert {*figures.latency} == {"ghost_text", "next_edit"}
    for kind, bins in figures.latency.items():
        waited = "display_source in ('async', 'network')" if kind == "ghost_text" else "not is_from_cache"
        waits = f"""from '{place}/out/suggestions/*/*.parquet'
            where kind = '{kind}' and display_count > 0 and {waited} and latency_ms is not null"""
        for low, high in ((b["from_ms"], b["to_ms"]) for b in bins):
            begin, end = (-1 if low == bins[0]["from_ms"] else low), (1e18 if high == bins[-1]["to_ms"] else high)
            inside = f"{waits} and latency_ms >= {begin} and latency_ms < {end}"
            ((count, people, whole),) = duckdb.sql(f"""
                select count(*), count(distinct installation_id), (select count(*) {waits}) {inside}""").fetchall()
            assert people >= FEW
            assert f"{texts.span(low)} to {texts.span(high)}: {count:,} ({count / whole:.1%})" in said
        ((slow,),) = duckdb.sql(f"select avg((latency_ms > 5000)::int) {waits}").fetchall()
        assert values_on(page)[f"{kind}.slow_rate"] == pytest.approx(slow)


def test_it_tells_nothing_by_colour_alone(place: Path) -> None:
    svgs = re.findall(r"<svg.*?</svg>", (place / "report.html").read_text(), re.DOTALL)
    assert len(svgs) >= 9
    colours = {c.lower() for svg in svgs for c in re.findall(r'(?:fill|stroke)="(#[0-9A-Fa-f]+|rgb[^"]+)"', svg)}
    assert colours - {"#1a1a1a", "#000", "#ddd", "#888", "#3b6ea5", "#a9c4de", "#ffffff"} == set()
    lightness = sorted(sum(int(c[n : n + 2], 16) for n in (1, 3, 5)) for c in ("#3b6ea5", "#a9c4de", "#ffffff"))
    assert min(high - low for low, high in itertools.pairwise(lightness)) > 150, "on grey paper, too"


def test_the_head_tells_which_days_these_are(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html")
    dates = page.locator(".dates").inner_text()
    assert dates.startswith("2026-03-29")
    assert page.title() == f"Suggestion telemetry, {dates}"
    assert dates == page.evaluate("document.querySelector('h1').nextElementSibling.innerText")


def test_columns_without_a_value_are_left_out(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html")
    tables = page.evaluate("""[...document.querySelectorAll('table.cards')].map(t =>
        [t.id, [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.innerText.trim()))])""")
    assert len(tables) >= 6
    for name, rows in tables:
        for column in zip(*rows, strict=True):
            assert {*column} != {"\N{EN DASH}"}, name
    heads = page.locator("#by_language th").all_inner_texts()
    assert "errors per 1000 requests" not in heads, "errors know no language"


def test_what_was_checked_and_what_is_only_stated_are_told_apart(place: Path) -> None:
    figures = gather_figures(Output(str(place / "out")), existing_days(Output(str(place / "out"))), FEW)
    page = report.render(figures, "out", datetime(2026, 3, 30, tzinfo=UTC))
    claims = dict(re.findall(r'<li><span class="basis">(\w+)</span> ([^.<]+)', page)[::-1])
    assert claims == {"checked": "The books balance: every event that came in is accounted for in the ledger",
                      "stated": "No file holds an address, a raw identifier or code in clear"}  # fmt: skip
    figures.problems.append("x")
    assert "The books balance" not in report.render(figures, "out", datetime(2026, 3, 30, tzinfo=UTC))


def test_words_are_text_and_nothing_else(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "landing", lambda *_: str)  # even if any word landed as it came
    bad = '"><script>document.title="taken"</script><img src=x onerror=alert(1)>'
    lines = []
    for number in range(12):
        document = sample()
        said = document["data"]["baseData"]["properties"]
        said |= {"unique_id": f"e{number}", "clientCompletionId": f"c{number}", "client_machineid": f"{number:064x}"}
        said["languageId"] = bad
        strange = sample()
        strange["data"]["baseData"]["name"] = "copilot/<b>bold</b>"
        lines += [document, strange]
    run_batch(write_lines(tmp_path / "raw.ndjson", lines), tmp_path / "out", "--close_open_suggestions")
    report.main([f"--datasets={tmp_path}/out", f"--to={tmp_path}/report.html"])
    assert "script&gt;" in (tmp_path / "report.html").read_text()
    page = opened(browser, tmp_path / "report.html")
    assert page.evaluate("document.querySelectorAll('script, img, td b').length") == 0
    assert page.title().startswith("Suggestion telemetry")
    assert page.locator("#by_language").inner_text().count("<script>") == 1


def test_of_few_people_nothing_is_told(browser: Browser, tmp_path: Path) -> None:
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out", "--close_open_suggestions")
    report.main([f"--datasets={tmp_path}/out", f"--to={tmp_path}/report.html"])
    page = opened(browser, tmp_path / "report.html")
    assert "Fewer than 10 installations were seen" in page.inner_text("body")
    assert "python" not in page.inner_text("body")


def test_books_that_do_not_balance_are_said_first(place: Path) -> None:
    figures = gather_figures(Output(str(place / "out")), existing_days(Output(str(place / "out"))), FEW)
    assert not figures.problems
    figures.problems.append("received_date=2026-03-29 input=x: 3 events came in, 2 are accounted for")
    page = report.render(figures, "out", datetime(2026, 3, 30, tzinfo=UTC))
    assert "The books do not balance: received_date=2026-03-29" in page
    assert "nothing was lost" not in page


def test_refusals(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"allowed is a \.html file"):
        report.main([f"--datasets={place}/out", f"--to={tmp_path}/report.pdf"])
    with pytest.raises(InvalidOptions, match="no ledger there"):
        report.main([f"--datasets={tmp_path}", f"--to={tmp_path}/report.html"])


def test_arms_on_the_page_are_those_of_metrics(place: Path, tmp_path: Path) -> None:
    versions = Counter(row["extension_version"] for row in read_rows(place / "out", "suggestions"))
    arms = f"--arms=extension_version={','.join(v for v, _ in versions.most_common(2))}"
    flags = [f"--datasets={place}/out", f"--min_installations={FEW}", arms]
    metrics.main([*flags, f"--arms_to={tmp_path}/arms.json"])
    report.main([*flags, f"--to={tmp_path}/report.html"])
    expected = json.loads((tmp_path / "arms.json").read_text())
    shown = dict(re.findall(r'data-figure="arms\.(.*?)" data-value="(.*?)"', (tmp_path / "report.html").read_text()))
    assert {name: int(shown[f"people.{name}"]) for name in expected["people"]} == expected["people"]
    assert math.isclose(float(shown["sample_ratio_p"]), expected["sample_ratio_p"])
    assert expected["comparisons"]
    for compared in expected["comparisons"]:
        name = f"{compared['kind']}.{compared['rate']}.{compared['arm']}"
        assert shown[name] == ("" if compared["arm_value"] is None else str(compared["arm_value"]))
