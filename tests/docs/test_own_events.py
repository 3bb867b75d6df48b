"""docs/own-events.md: its commands run and print what it says, and its table is the code's."""

import re
from pathlib import Path

import pytest

from schemas.manifests import DROP, KEEP, TREATMENTS
from tests.docs.test_send_events import run
from tests.support.pages import code_blocks
from transforms.core.protecting.properties import MOST_KEPT_CHARS, MOST_SCRUBBED_CHARS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-events.md").read_text()
COMMANDS = code_blocks(PAGE, "sh")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("own")
    return [run("sh", command, folder) for command in COMMANDS]


def test_the_check_names_what_is_not_declared(printed: list[str]) -> None:
    (shown,) = re.findall(r"```\n(events\.ndjson:1.*?)```", PAGE, re.DOTALL)
    assert printed[0].startswith(shown)
    assert "exit code 3" in printed[0]


def test_the_event_lands(printed: list[str]) -> None:
    assert re.search(r"lint\.done.*no-unused.*12\.5", printed[1])
    assert "the books balance" in printed[1]


def test_the_table_has_every_classification_once() -> None:
    table = PAGE.partition("| classification |")[2].partition("\n\n")[0].splitlines()[2:]
    told = {name: row.split("|")[2] for row in table for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert {*told} == {*TREATMENTS}
    for name, treatment in TREATMENTS.items():
        assert ("never read" in told[name]) == (treatment == DROP)
        assert (f"{MOST_KEPT_CHARS} characters" in told[name]) == (treatment == KEEP)
    assert f"{MOST_SCRUBBED_CHARS:,} characters" in told["CallstackOrException"]
