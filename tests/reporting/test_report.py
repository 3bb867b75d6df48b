"""The page in a real Chromium: its figures are those of the datasets, and it needs nothing but itself."""

import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pipelines import generate, metrics, report
from pipelines.rates.kinds import KINDS
from pipelines.rates.tables import existing_days
from pipelines.reporting.figures import gather_figures
from schemas.errors import InvalidOptions
from tests.conftest import read_rows, run_batch, sample, write_lines
from transforms.core.output.layout import Output
from transforms.core.protecting import words

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
FEW = 2


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("left out: the report in a browser, as no chromium is installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    generate.main([f"--output={folder}/day", "--events=9000", "--seed=31", "--date=2026-03-29"])
    run_batch(folder / "day" / "raw", folder / "out", "--close_open_suggestions")
    report.main([f"--datasets={folder}/out", f"--to={folder}/report.html", f"--min_installations={FEW}"])
    return folder


def opened(browser: Browser, path: Path, width: int = 1200) -> Page:
    """The page; fails where it asks for anything else, runs into its own policy, or prints an error."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: asked.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_load_state("networkidle")
    assert asked == [path.as_uri()]
    return page


def values_on(page: Page) -> dict[str, float]:
    found = page.evaluate(
        "[...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.dataset.value, e.innerText])"
    )
    for name, value, text in found:
        assert written(float(value), text), (name, value, text)
    return {name: float(value) for name, value, _ in found}


def written(value: float, text: str) -> bool:
    """Whether the text that a person sees is the value, as a count, a share, or milliseconds."""
    ways = (f"{value:,.0f}", f"{value:.1%}", f"{value:,.0f} ms", f"{value:,.1f}")
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
    return found


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
    by_day = events.group_by("received_date").len().rows()
    return figures | {f"freshness.{day}": count for day, count in by_day}


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
    page.screenshot(path=place / "desk.png", full_page=True)


def test_bars_bear_the_figures_of_their_tables(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html")
    texts = set(page.evaluate("[...document.querySelectorAll('svg text')].map(e => e.textContent)"))
    figures = gather_figures(Output(str(place / "out")), existing_days(Output(str(place / "out"))), FEW)
    ghost_text = figures.kinds["ghost_text"]
    for row in (r for r in figures.by_dimension["language"] if r["kind"] == "ghost_text"):
        assert {row["language"], f"{row['acceptance_rate']:.1%} of {row['shown']:,}"} <= texts
    for count in (ghost_text["opportunities"], ghost_text["shown"]):
        assert f"{count:,}" in texts
    assert sum(r["shown"] for r in figures.latency) == ghost_text["latency_known"] < ghost_text["shown"]
    assert {f"{r['shown']:,}" for r in figures.latency} <= texts
    assert f"{figures.books.landed:,} ({figures.books.landed / figures.books.events:.1%})" in texts


def test_it_fits_a_phone_and_its_charts_stay_readable(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html", width=375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    heights = page.evaluate("[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height)")
    assert len(heights) > 60
    assert min(h for h in heights if h) >= 9
    page.screenshot(path=place / "phone.png", full_page=True)


def test_it_prints_and_tells_nothing_by_colour_alone(browser: Browser, place: Path) -> None:
    page = opened(browser, place / "report.html")
    assert page.pdf().startswith(b"%PDF")
    (svgs,) = [re.findall(r"<svg.*?</svg>", (place / "report.html").read_text(), re.DOTALL)]
    assert len(svgs) >= 9
    colours = {c.lower() for svg in svgs for c in re.findall(r'(?:fill|stroke)="(#[0-9A-Fa-f]+|rgb[^"]+)"', svg)}
    assert colours - {"#1a1a1a", "#000", "#ddd", "#888", "#3b6ea5"} == set()
    persistence = next(svg for svg in svgs if "seconds after acceptance" in svg)
    assert len(set(re.findall(r'stroke-dasharray="([^"]+)"', persistence))) >= 2


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


def test_several_days_are_drawn_over_time(browser: Browser, tmp_path: Path) -> None:
    for day in (28, 29, 30):
        generate.main([f"--output={tmp_path}/{day}", "--events=2500", f"--seed={day}", f"--date=2026-03-{day}"])
        run_batch(tmp_path / str(day) / "raw", tmp_path / "out")
    report.main([f"--datasets={tmp_path}/out", f"--to={tmp_path}/report.html", "--min_installations=3"])
    page = opened(browser, tmp_path / "report.html")
    captions = [c for c in page.locator("figcaption").all_inner_texts() if "by the day" in c]
    assert len(captions) == 3
    days = set(page.evaluate("[...document.querySelectorAll('svg text')].map(e => e.textContent)"))
    assert {"2026-03-28", "2026-03-30"} <= days
    page.screenshot(path=tmp_path / "days.png", full_page=True)


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
