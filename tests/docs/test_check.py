"""docs/check.md: its commands run and print what it says, its table is the form of the objects, the hook stops a commit."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_send_events import run
from tests.support.pages import code_blocks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "check.md").read_text()
COMMANDS = code_blocks(PAGE, "sh")
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
       "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}  # fmt: skip


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("check")
    return [run("sh", command, folder) for command in COMMANDS]


def test_the_table_is_as_the_page_shows_it(printed: list[str]) -> None:
    (shown,) = re.findall(r"```\n(events\.ndjson:1.*?)```", PAGE, re.DOTALL)
    assert printed[0].startswith(shown)
    assert "exit code 3" in printed[0]
    assert "4 payloads, 4 events:" in printed[0]
    assert "events.ndjson:1  ghostText.shown: landed" in printed[1]


def test_the_members_are_those_of_the_page(printed: list[str]) -> None:
    table = PAGE.partition("| member |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[2:]))
    *events, totals = map(json.loads, printed[2].splitlines())
    assert len(events) == 4
    for event in events:
        assert [*event] == named
    assert {*totals} == {"totals", "is_cut", "exit_code"}
    assert {*events[0]["suggestion"]} == set(re.findall(r"`(\w+)`", re.findall(r"\| `suggestion` \|(.*)", PAGE)[0]))


def test_the_hook_stops_a_commit(tmp_path: Path) -> None:
    """By pre-commit itself; the package is not installed again, so its environment is this one."""
    environment = {
        **os.environ,
        **GIT,
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def git(*words: str, place: Path) -> str:
        done = subprocess.run(
            ["git", "-C", str(place), *words], capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout.strip()

    hooks, project = tmp_path / "hooks", tmp_path / "project"
    for place in (hooks, project):
        place.mkdir()
        git("init", "-q", place=place)
    (hooks / ".pre-commit-hooks.yaml").write_text((ROOT / ".pre-commit-hooks.yaml").read_text())
    git("add", "-A", place=hooks)
    git("commit", "-qm", "hooks", place=hooks)
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    text = text.replace("https://github.com/OWNER/suggestion-telemetry", str(hooks))
    text = text.replace("v0.1.0", git("rev-parse", "HEAD", place=hooks))
    text += f"        language: system\n        entry: {sys.executable} -m pipelines.check\n"
    (project / ".pre-commit-config.yaml").write_text(text)
    (project / "samples").mkdir()
    stamp = (
        '"collector": {"received_at": "2026-11-26T10:00:00Z", "telemetry_level": "all"}, "time": "2026-11-26T10:00:00Z"'
    )
    good = f'{{{stamp}, "data": {{"baseData": {{"name": "ghostText.shown", "properties": {{"unique_id": "a"}}}}}}}}\n'
    for name, content, code in (("good", good, 0), ("bad", good.replace("ghostText.shown", "my.event"), 1)):
        (project / "samples" / f"{name}.ndjson").write_text(content)
        git("add", "-A", place=project)
        done = subprocess.run([sys.executable, "-m", "pre_commit", "run"], cwd=project, env=environment,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "check telemetry events" in done.stdout
    assert "outside_contract" in done.stdout
