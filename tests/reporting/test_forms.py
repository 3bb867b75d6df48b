"""Screen, phone and paper, drawn and interactive: no text is cut, overlaps another, or leaves its box."""

import html
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from pipelines import generate, report
from tests.conftest import run_batch
from tests.reporting.browser import FEW, opened

LAST = date(2026, 3, 29)
FORMS = {"screen": (1280, "screen"), "phone": (390, "screen"), "narrow": (320, "screen"), "paper": (688, "print")}
"""Width in px and medium; A4 has 688 px between its margins."""

FAULTS = """() => {
  const faults = [], near = 1, wide = document.documentElement.clientWidth;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), drawn = new Map();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement, text = node.textContent.trim();
    if (!text || parent.closest("script, style") || !parent.getClientRects().length) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const svg = parent.closest("svg"), box = svg || parent.closest("td, th, p, li, figcaption, h1, h2, h3, div, b");
    const bounds = box.getBoundingClientRect();
    for (const r of (svg ? [parent.getBoundingClientRect()] : range.getClientRects())) {
      if (!r.width) continue;
      if (r.left < -near || r.right > wide + near) faults.push(`leaves the page: ${text}`);
      if (r.left < bounds.left - near || r.right > bounds.right + near ||
          r.top < bounds.top - 4 || r.bottom > bounds.bottom + 4) faults.push(`leaves its ${box.localName}: ${text}`);
      if (svg) drawn.set(svg, [...(drawn.get(svg) || []), [text, r]]);
    }
  }
  for (const texts of drawn.values()) for (const [n, [a, r]] of texts.entries()) for (const [b, s] of texts.slice(n + 1))
    if (r.left + 2 < s.right && s.left + 2 < r.right && r.top + 4 < s.bottom && s.top + 4 < r.bottom)
      faults.push(`overlap: ${a} / ${b}`);
  for (const e of document.querySelectorAll("body *")) if (!e.closest("svg, script, style"))
    if (e.scrollWidth > e.clientWidth + near && getComputedStyle(e).display !== "inline") faults.push(`scrolls: ${e.localName}`);
  return faults;
}"""


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen days in one output."""
    folder = tmp_path_factory.mktemp("days")
    generate.main([f"--output={folder}/raw", "--events=7000", "--seed=5", f"--date={LAST}", "--days=16"])
    run_batch(folder / "raw" / "raw", folder / "out", "--close_open_suggestions")
    return folder


@pytest.fixture(scope="module")
def pages(days: Path, place: Path) -> dict[str, Path]:
    made = {"a day": place / "report.html"}
    for name, flags in {
        "weeks": [], "live weeks": ["--interactive"], "few people": ["--min_installations=200"],
        "3 days": [f"--date={LAST - timedelta(days=n)}" for n in range(3)],
        "2 days": [f"--date={LAST - timedelta(days=n)}" for n in range(2)],
    }.items():  # fmt: skip
        made[name] = days / f"{name}.html"
        report.main([f"--datasets={days}/out", f"--to={made[name]}", f"--min_installations={FEW}", *flags])
    return made


def shown(browser: Browser, path: Path, form: str) -> Iterator[Page]:
    width, medium = FORMS[form]
    page = opened(browser, path, width)
    page.emulate_media(media=medium)  # type: ignore[arg-type]
    if "live" in path.name:
        page.wait_for_function(
            "document.querySelectorAll('figure .vega-embed svg').length == document.querySelectorAll('figure').length"
        )
    yield page
    page.close()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["a day", "weeks", "live weeks", "few people", "3 days"])
def test_nothing_is_clipped(browser: Browser, pages: dict[str, Path], name: str, form: str) -> None:
    for page in shown(browser, pages[name], form):
        assert page.evaluate(FAULTS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= FORMS[form][0]
        heights = page.evaluate("[...document.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height)")
        assert heights
        assert min(h for h in heights if h) >= 9, "readable"


def test_what_looks_for_clipped_texts_finds_each_way_to_be(browser: Browser, pages: dict[str, Path]) -> None:
    for page in shown(browser, pages["weeks"], "phone"):
        page.evaluate("""() => {
          const [one, other] = document.querySelectorAll("svg text");
          one.setAttribute("transform", "translate(-60,0)");
          document.querySelector("figcaption").insertAdjacentHTML("beforeend", "<span style='position:relative;left:300px'>far</span>");
          document.querySelectorAll("figure")[1].querySelectorAll("svg text").forEach(e => e.setAttribute("transform", "translate(40,20)"));
          document.querySelector("td:not(.lead)").textContent = "x".repeat(90);
        }""")
        ways = {fault.split(":")[0].split(" ")[0] for fault in page.evaluate(FAULTS)}
        assert ways == {"leaves", "overlap", "scrolls"}


def test_it_prints_on_pages_of_a4(browser: Browser, pages: dict[str, Path]) -> None:
    for page in shown(browser, pages["weeks"], "paper"):
        printed = page.pdf(prefer_css_page_size=True)
        assert printed.startswith(b"%PDF")
        boxes = {tuple(round(float(n)) for n in box.split()) for box in re.findall(rb"/MediaBox \[([^\]]+)\]", printed)}
        assert boxes == {(0, 0, 595, 842)}


@pytest.mark.parametrize(
    ("name", "unit", "strips"), [("weeks", "week", True), ("3 days", "day", True), ("2 days", "day", False)]
)
def test_weeks_from_14_days_on_and_strips_from_3(
    browser: Browser, pages: dict[str, Path], name: str, unit: str, strips: bool
) -> None:
    for page in shown(browser, pages[name], "screen"):
        assert (page.locator("[data-chart^=strips_]").count() > 0) == strips
        chart = page.locator("[data-chart=over_time_ghost_text]")
        assert f"by {unit}" in chart.inner_text()
        labels = page.evaluate(
            "[...document.querySelectorAll('[data-chart=over_time_ghost_text] svg text')].map(e => e.textContent)"
        )
        drawn = [label for label in labels if "Mar" in label]
        expected = {"weeks": ["9 Mar", "16 Mar", "23 Mar"], "3 days": ["27 Mar", "28 Mar", "29 Mar"]}
        assert drawn[:3] == expected.get(name, ["28 Mar", "29 Mar"])
        assert len(drawn) <= 4, "the batch is received past midnight"


def test_the_drawn_page_has_no_script_and_the_live_one_only_its_own(browser: Browser, pages: dict[str, Path]) -> None:
    for name, path in pages.items():
        text = html.unescape(path.read_text())
        assert ("<script" in text) == (name == "live weeks")
        assert re.search(
            r"""content="default-src 'none'; style-src 'unsafe-inline'(; script-src 'sha256-[^ ;]+' 'sha256-[^ ;]+')?">""",
            text,
        )
    for page in shown(browser, pages["live weeks"], "screen"):
        page.evaluate("""() => { setTimeout("window.taken = 1", 0) }""")
        page.evaluate(
            """() => { const s = document.createElement("script"); s.textContent = "window.taken = 1"; document.body.append(s) }"""
        )
        assert (
            page.evaluate("""() => new Promise(refused => {
            document.addEventListener("securitypolicyviolation", e => refused(e.effectiveDirective));
            fetch("http://127.0.0.1:9/").catch(() => null);
        })""")
            == "connect-src"
        )
        assert page.evaluate("window.taken") is None


def test_a_pointer_is_told_the_figure_that_the_drawn_page_has(browser: Browser, pages: dict[str, Path]) -> None:
    for page in shown(browser, pages["live weeks"], "screen"):
        bar = page.locator("[data-chart=fates] [aria-roledescription=bar]").nth(1)
        bar.hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert bar.get_attribute("aria-label") in page.locator("#vg-tooltip-element").inner_text()
    labels = [labels_of(browser, pages[name]) for name in ("weeks", "live weeks")]
    assert labels[0] == labels[1]


def labels_of(browser: Browser, path: Path) -> list[Any]:
    for page in shown(browser, path, "screen"):
        found = page.evaluate("""[...document.querySelectorAll("figure")].map(f => [f.dataset.chart,
            [...f.querySelectorAll("svg text")].map(e => e.textContent), [...f.querySelectorAll(
            "[aria-roledescription=bar], [aria-roledescription=point]")].map(e => e.getAttribute("aria-label"))])""")
        assert len(found) > 12
        return list(found)
    raise AssertionError


def test_of_too_few_people_no_figure_is_in_the_page_or_in_its_scripts(pages: dict[str, Path], days: Path) -> None:
    """All of the output has 116 people; with 200 asked for, only counts of the ledger are left."""
    report.main([f"--datasets={days}/out", f"--to={days}/live few.html", "--min_installations=200", "--interactive"])
    for path in (pages["few people"], days / "live few.html"):
        text = path.read_text()
        assert "Fewer than 200 installations were seen" in text
        assert {*re.findall(r'data-chart="(\w+)"', text)} <= {"fates", "errors", "redactions"}
        told = {name.split(".")[0] for name in re.findall(r'data-figure="([^"]+)"', text)}
        assert told <= {"events", "landed", "rows", "withheld", "quarantined", "outside_contract", "unjoined", "keys",
                        "scrubbed", "withheld_fields"}  # fmt: skip
        for spec in re.findall(
            r'<script type="application/json" id="chart-(?:errors|redactions)">(.*?)</script>', text
        ):
            assert {r["name"] for r in json.loads(spec)["layer"][0]["data"]["values"]} <= {"(merged)"}
