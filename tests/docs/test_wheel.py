"""The wheel holds everything that the jobs read, and runs where the repository is not."""

import zipfile
from pathlib import Path

import pytest

from pipelines import COMMAND
from tests.support.wheels import PACKAGES, ROOT, CleanEnvironment

pytestmark = pytest.mark.xdist_group("wheel")


def test_every_file_of_the_packages_is_in_it(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if not name.partition("/")[0].endswith(".dist-info")}
    there = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == there
    kinds = {Path(name).suffix for name in held}
    assert {".py", ".typed", ".avsc", ".txt", ".tsv", ".toml", ".j2", ".css"} == kinds


def test_it_is_typed(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_its_command_is_the_entry_point(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt"))
        told = archive.read(name).decode()
    assert told.split() == ["[console_scripts]", COMMAND, "=", "pipelines.running.entry:main"]


def test_it_asks_for_no_tool_of_ours(clean: CleanEnvironment) -> None:
    """And for all that the jobs import: the tests below run on nothing else."""
    dev = {"pytest", "hypothesis", "polars", "moto", "playwright", "ruff", "mypy", "import-linter"}
    assert {"apache-beam", "pyarrow", "duckdb", "psutil"} <= set(clean.asked_for)
    assert not dev & set(clean.asked_for)


def test_it_runs_where_the_repository_is_not(clean: CleanEnvironment, tmp_path: Path) -> None:
    """Not the repository's modules: the wheel's."""
    code = "import sys, pipelines, schemas, transforms; print(*sys.path, sep='\\n'); print(pipelines.__file__, schemas.__file__)"
    told = clean.run(clean.python, "-c", code, cwd=tmp_path).stdout.splitlines()
    assert str(ROOT) not in told
    assert all(path.startswith(str(clean.site)) for path in told[-1].split())
    made = clean.run(clean.command, "keys", "create", "--output", "ring", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    listed = clean.run(clean.python, "-m", "pipelines.keys", "list", "--key_ring", "ring", cwd=tmp_path)
    assert listed.returncode == 0
