"""docs/contributing.md: each example, followed by its own words in a copy of the repository, does what it says."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text()
QUOTED = r"(?:``\s?(?P<{0}>.+?)\s?``|`(?P<{0}_>[^`]+)`)"
PATH = r"`(?P<path>[\w./-]+)`"
BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
MAKE = re.compile(rf"Make {PATH}:$")
ADD = re.compile(rf"In {PATH}, (?P<how>after|before) the line with {QUOTED.format('mark')}, add:$")
COMMA = re.compile(rf"In {PATH}, put a comma behind the line with {QUOTED.format('mark')}, and add after it:$")
REPLACE = re.compile(rf"In {PATH}, replace {QUOTED.format('old')} with {QUOTED.format('new')}\.$", re.MULTILINE)


def quoted(found: re.Match[str], name: str) -> str:
    return found[name] or found[f"{name}_"]


def example(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


class Newcomer:
    """Somebody who does what the page says, in a copy of the repository, and nothing else."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.printed = ""
        left_out = shutil.ignore_patterns(
            ".git", ".venv", ".tools", "__pycache__", "demo", "*.egg-info", ".*_cache", ".hypothesis", ".coverage*"
        )
        shutil.copytree(ROOT, place, ignore=left_out)

    def follow(self, title: str) -> None:
        text, at = example(title), 0
        assert text
        for block in BLOCK.finditer(text):
            before = text[at : block.start()]
            for found in REPLACE.finditer(before):
                self._change(found["path"], quoted(found, "old"), quoted(found, "new"))
            self._take(before.rstrip(), block["kind"], textwrap.dedent(block["text"]), block["text"], block["indent"])
            at = block.end()

    def _take(self, before: str, kind: str, plain: str, text: str, indent: str) -> None:
        last = before.rsplit("\n\n", 1)[-1].strip()
        last = re.sub(r"^\d+\. ", "", last)
        added = "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
        if found := MAKE.search(last):
            target = self.place / found["path"]
            assert not target.exists()
            target.write_text(added)
        elif found := ADD.search(last):
            self._add(found["path"], quoted(found, "mark"), added, found["how"])
        elif found := COMMA.search(last):
            self._add(found["path"], quoted(found, "mark"), added, "after", comma=True)
        else:
            assert kind == "sh", f"the page does not say what to do with: {plain}"
            self._run(plain)

    def _change(self, path: str, old: str, new: str) -> None:
        text = (self.place / path).read_text()
        assert text.count(old) == 1, (path, old)
        (self.place / path).write_text(text.replace(old, new))

    def _add(self, path: str, mark: str, added: str, how: str, *, comma: bool = False) -> None:
        lines = (self.place / path).read_text().splitlines(keepends=True)
        (at,) = (number for number, line in enumerate(lines) if mark in line)
        if comma:
            lines[at] = lines[at].rstrip("\n") + ",\n"
        lines.insert(at + (how == "after"), added)
        (self.place / path).write_text("".join(lines))

    def _run(self, command: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {
            **os.environ,
            "PATH": path,
            "PYTHONPATH": f"{self.place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        }
        done = subprocess.run(
            ["bash", "-ec", f"set -o pipefail; {command}"], cwd=self.place, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.printed += done.stdout
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    def check_style(self, *paths: str) -> None:
        """What the page adds is as `make check` wants it."""
        for command in (["format", "--check"], ["check"]):
            done = subprocess.run(
                [Path(sys.executable).with_name("ruff"), *command, *paths],
                cwd=self.place, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path / "clone")


def test_add_a_field(newcomer: Newcomer) -> None:
    newcomer.follow("Add a field")
    assert newcomer.printed.count('"panel_width_px": 420') == 1
    other = newcomer.place / "tests" / "data" / "golden" / "one_life" / "expected"
    assert '"panel_width_px": null' in (other / "displays.jsonl").read_text()
    for path in (ROOT / "tests" / "data" / "golden" / "one_life" / "expected").iterdir():
        assert path.name == "displays.jsonl" or path.read_text() == (other / path.name).read_text()
    assert "| panel_width_px |" in (newcomer.place / "docs" / "datasets.md").read_text()


def test_add_an_event(newcomer: Newcomer) -> None:
    newcomer.follow("Add an event")
    assert re.search(r"ghostText\.retried\W+python", newcomer.printed)
    assert '"ghostText.retried"' in (newcomer.place / "docs" / "telemetry.json").read_text()


def test_add_an_envelope(newcomer: Newcomer) -> None:
    newcomer.follow("Add an envelope")
    assert re.search(r"python\W+42\b", newcomer.printed)
    newcomer.check_style("transforms/core/decoding/tolerant.py")


def test_the_envelope_is_not_read_before(tmp_path: Path) -> None:
    """Else its example would show nothing."""
    from schemas.errors import InvalidEvent
    from transforms.core.decoding.envelopes import decode_event

    (text,) = (
        m["text"] for m in BLOCK.finditer(example("Add an envelope")) if '"props"' in m["text"] and m["kind"] == "json"
    )
    with pytest.raises(InvalidEvent):
        decode_event(" ".join(text.split()).encode())


def test_add_a_dataset(newcomer: Newcomer) -> None:
    newcomer.follow("Add a dataset")
    assert re.search(r"\bup\W+\d+", newcomer.printed)
    assert re.search(r"\bdown\W+\d+", newcomer.printed)
    newcomer.check_style("schemas/registry.py", "pipelines/synthetic/events.py")
    assert "## ratings" in (newcomer.place / "docs" / "datasets.md").read_text()


def test_add_a_job(newcomer: Newcomer) -> None:
    newcomer.follow("Add a job")
    assert re.search(r"^20\d\d-\d\d-\d\d  [\d,]+ rows$", newcomer.printed, re.MULTILINE)
    newcomer.check_style("pipelines/days.py", "tests/jobs/test_days.py")


def test_every_example_is_followed() -> None:
    titles = re.findall(r"^## (Add .+)$", PAGE, re.MULTILINE)
    assert titles == ["Add a field", "Add an event", "Add an envelope", "Add a dataset", "Add a job"]
    code = Path(__file__).read_text()
    assert all(f'newcomer.follow("{title}")' in code for title in titles)


def test_make_targets_and_files_that_the_page_names_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z_]+)`", PAGE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
