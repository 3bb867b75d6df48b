"""docs/architecture.md: its rooms are the folders and the contracts, its words those of the code, its picture parses."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.reporting.browser import CHROMIUM, FLAGS
from tests.support.npm_clients import modules, needs_node
from tests.support.pages import code_blocks

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PAGE = (ROOT / "docs" / "architecture.md").read_text()
CORE = ROOT / "transforms" / "core"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    text = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE).group(1)  # type: ignore[union-attr]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def layers() -> list[list[str]]:
    """The rooms of core as the contract orders them, from the ground up; the ground is one room."""
    (contract,) = (c for c in CONTRACTS if c.get("containers") == ["transforms.core"])
    levels = [re.findall(r"\w+", level) for level in reversed(contract["layers"])]
    return [["ground"], *levels[1:]]


def forbidden(room: str) -> set[str]:
    """Rooms below that a contract of its own forbids."""
    found = set()
    for contract in CONTRACTS:
        if contract["type"] == "forbidden" and f"transforms.core.{room}" in contract["source_modules"]:
            found |= {name.removeprefix("transforms.core.") for name in contract["forbidden_modules"]}
    return found


def named_in(cell: str, above: list[str]) -> set[str]:
    """The rooms that a cell of the column "may use" stands for."""
    most, _, but = cell.partition(" but ")
    if most == "all above":
        return set(above) - {name for name in but.split(", ") if name}
    return {name for name in most.split(", ") if name != "nothing"}


def test_rooms_of_core_are_the_folders_in_the_order_of_the_contract() -> None:
    listed = [row[0] for row in rows("The rooms of transforms/core")]
    folders = {path.name for path in CORE.iterdir() if (path / "__init__.py").exists()}
    assert set(listed) == {"ground", *folders}
    for level in layers():
        places = sorted(listed.index(room) for room in level)
        assert {listed.pop(places[0]) for _ in level} == set(level)  # each level stands right below the one before
        assert places[0] == 0
    assert not listed


def test_what_a_room_may_use_is_what_the_contracts_permit() -> None:
    below: list[str] = []
    permitted = {}
    for level in layers():
        permitted |= {room: set(below) - forbidden(room) for room in level}
        below += level
    above: list[str] = []
    for room, _, _, may_use in rows("The rooms of transforms/core"):
        assert named_in(may_use, above) == permitted[room], room
        above.append(room)


def test_rooms_of_pipelines_are_the_folders() -> None:
    folders = {path.name for path in (ROOT / "pipelines").iterdir() if (path / "__init__.py").exists()}
    assert {row[0] for row in rows("The rooms of pipelines")} == folders


def test_the_other_folders_are_there() -> None:
    named = [row[0] for row in rows("The other folders")]
    assert {f"schemas/{p.name}" for p in (ROOT / "schemas").iterdir() if p.is_dir() and p.name != "__pycache__"} < {
        *named
    }
    assert all((ROOT / name).is_dir() for name in named)


def test_each_word_is_explained_once_and_is_used_by_the_code() -> None:
    words = [row[0] for row in rows("Glossary")]
    assert words == sorted(words)
    assert len(words) == len(set(words))
    code = "\n".join(
        path.read_text().lower()
        for package in ("pipelines", "schemas", "transforms")
        for path in (ROOT / package).rglob("*.py")
    )
    code = re.sub(r"[_\s]+", " ", code)
    unused = [word for word in words if not re.search(rf"(?<![a-z]){word}(s|es|ies)?(?![a-z])", code)]
    assert not unused


STEP = r"\b(?:Read|Decode|Protect|Seal|Group|Curate|Join|Write)[A-Z][A-Za-z]+"


def test_steps_of_the_picture_and_of_the_list_are_the_modules() -> None:
    modules_of_steps = {path.stem for path in (ROOT / "transforms" / "steps").glob("[a-z]*.py")} - {"refusing_coder"}
    steps = {"".join(word.capitalize() for word in name.split("_")) for name in modules_of_steps}
    picture = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL).group(1)  # type: ignore[union-attr]
    assert set(re.findall(STEP, picture)) == steps
    listed = PAGE.partition("```\n\n1. ")[2].partition("## Rooms")[0]
    assert set(re.findall(rf"\*\*({STEP})\*\*", listed)) == steps


PICTURES = [
    pytest.param(picture, id=f"{page.name}-{number}")
    for page in PAGES
    for number, picture in enumerate(code_blocks(page.read_text(), "mermaid"))
]


@needs_node
@pytest.mark.parametrize("picture", PICTURES)
def test_mermaid_draws_the_picture(picture: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The real Mermaid, in a real browser."""
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("left out: pictures in a browser, as no chromium is installed (apt-get install chromium)")
    script = modules(tmp_path_factory.getbasetemp() / "npm") / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
    assert script.exists(), "the tools are of an older package.json: run make tools"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page()
        tab.add_script_tag(path=script)
        drawn = tab.evaluate("text => mermaid.render('picture', text).then(made => made.svg)", picture)
        browser.close()
    assert drawn.startswith("<svg")
    assert "Syntax error" not in drawn
    assert all(step in drawn for step in re.findall(STEP, picture))


ONLY_TYPES = {"reading/log.py", "keys/roles.py"}
"""Modules without anything to be run."""


def test_every_module_of_core_has_its_own_tests_in_the_same_room() -> None:
    core, tests = ROOT / "transforms" / "core", ROOT / "tests"
    missing = []
    for path in sorted(core.rglob("*.py")):
        place = path.relative_to(core)
        room = place.parent if place.parent.name else Path("core")
        if path.name != "__init__.py" and str(place) not in ONLY_TYPES:
            found = (tests / room / f"test_{path.stem}.py").exists()
            missing += [] if found else [str(place)]
    assert missing == []
