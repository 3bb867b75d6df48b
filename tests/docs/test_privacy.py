"""docs/privacy.md: each claim names a test that is there, its figures are measured, its commands run."""

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import DATA
from transforms.core.protecting.scrub import CODE, ERRORS, scrub_text

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "privacy.md"
PAGE = PATH.read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
BEGIN = "<!-- figures of the scrubber: made by the test of this page, do not edit -->"
END = "<!-- end of the figures -->"


def test_every_test_that_the_page_names_is_there() -> None:
    for path, name in NAMED:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (path, name)


def test_every_claim_names_a_test() -> None:
    section = PAGE.partition("## Who can link what\n")[2].partition("\n### ")[0]
    rows = [
        line
        for line in section.splitlines()
        if line.startswith("| ") and not line.startswith(("| who | what", "| ---"))
    ]
    assert len(rows) > 10
    assert all("::test_" in row for row in rows)


def figures() -> str:
    """What the scrubber finds of the labelled corpora, as lines of the page."""
    cases = [json.loads(line) for line in (DATA / "cases" / "scrub" / "labelled.jsonl").read_text().splitlines()]
    labelled, found = Counter[str](), Counter[str]()
    for case in cases:
        text = scrub_text(case["text"], CODE if case["mode"] == "code" else ERRORS, Counter())
        labelled[case["kind"]] += 1
        found[case["kind"]] += text == case["text"] if case["kind"] == "stay" else case["secret"] not in text
    stays, stayed = labelled.pop("stay"), found.pop("stay")
    spans, hits, others = 0, 0, 0
    for case in map(json.loads, (DATA / "scrub_corpus.jsonl").read_text().splitlines()):
        told = Counter[str]()
        scrub_text(case["text"], ERRORS, told)
        wanted = Counter(kind for kind, _ in case["spans"])
        spans, hits = spans + wanted.total(), hits + (told & wanted).total()
        others += (told - wanted).total()
    return (
        f"- Of {labelled.total()} labelled secrets of {len(labelled)} kinds, {found.total()} are found. Of {stays} harmless "
        f"messages, {stayed} stay as they are.\n"
        f"- Of {spans} spans in texts that were labelled by hand, {hits} are found; {others} others are taken out.\n"
    )


def test_figures_of_the_scrubber_are_those_of_today(request: pytest.FixtureRequest) -> None:
    before, _, rest = PAGE.partition(BEGIN)
    told, _, after = rest.partition(END)
    if request.config.getoption("--update-golden"):
        told = f"\n\n{figures()}\n"
        PATH.write_text(f"{before}{BEGIN}{told}{END}{after}")
    assert told.strip() == figures().strip()


def test_the_commands_make_a_record_with_the_operator_s_statements(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "privacy.md").write_text(PAGE)
    script = block.replace("python -m", f"PYTHONPATH={ROOT} {sys.executable} -m")
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, check=True)
    made = (tmp_path / "our-privacy.md").read_text()
    assert "to be stated by the operator" not in made
    assert "Example Ltd" in made.partition("## Who can link what")[0]
