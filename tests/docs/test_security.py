"""docs/security.md: each defence names a test that is there, and its keys are those of the ring."""

import ast
import json
import re
from pathlib import Path

from tests.conftest import DATA

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_test_that_the_page_names_is_there() -> None:
    assert len(NAMED) > 30
    for path, name in NAMED:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (path, name)


def test_every_defence_names_a_test() -> None:
    """A row without one is a promise."""
    section = PAGE.partition("## Defences\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| what", "| ---"))]
    assert len(rows) == len(NAMED)
    assert all("::test_" in row for row in rows)


def test_keys_of_the_page_are_those_of_a_ring() -> None:
    ring = json.loads((DATA / "key_ring" / "ring.json").read_text())
    assert {"correlation", "transport", "signing", "epochs", "readers"} <= {*ring}
    table = PAGE.partition("## Who holds which key")[2].partition("## Defences")[0]
    roles = set(re.findall(r"private key `(\w+)`", table))
    assert roles == {*ring["readers"]} == {p.stem for p in (DATA / "key_ring" / "private").iterdir()}
    assert all(f"private/{role}.json" in table for role in roles)


def test_no_mail_address_is_made_up() -> None:
    assert "@" not in PAGE
