"""`make check`, the hooks before a commit and CI are the same checks, with the same versions."""

import json
import os
import re
from pathlib import Path

import yaml

from tests.coverage_gate import gate

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


def recipe(target: str) -> str:
    return re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE).group(1)  # type: ignore[union-attr]


def test_the_hooks_run_the_tools_of_make_check_from_the_environment() -> None:
    """No version stands in the hooks: .venv is made from the lock."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks)
    tools = {hook["entry"].removeprefix(".venv/bin/").split()[0] for hook in hooks}
    assert tools == set(re.findall(r"\$\(VENV\)/bin/([a-z-]+)", recipe("check"))) == {"ruff", "mypy", "lint-imports"}
    lock = (ROOT / ".requirements.lock").read_text()
    assert all(re.search(rf"^{dist}==", lock, re.MULTILINE) for dist in ("ruff", "mypy", "import-linter"))


def test_ci_checks_and_then_tests() -> None:
    commands = re.findall(r"^make (.+?)(?:  #.*)?$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert commands == ["tools", "check", "test"]
    assert "tests.coverage_gate" in recipe("check")
    assert "$(MEASURE)" in recipe("test")


def figure(place: Path, percent: float) -> Path:
    path = place / "figure.json"
    path.write_text(json.dumps({"totals": {"percent_covered": percent}}))
    return path


def test_the_gate_refuses_a_figure_below_it(tmp_path: Path) -> None:
    assert gate(figure(tmp_path, 94.99))[0] == 1
    assert gate(figure(tmp_path, 95.0))[0] == 0


def test_the_gate_tells_what_it_cannot_know(tmp_path: Path) -> None:
    code, told = gate(tmp_path / "none.json")
    assert (code, "make coverage" in told) == (0, True)
    old = figure(tmp_path, 99)
    os.utime(old, (0, 0))
    assert re.search(r"\d+ files have changed since", gate(old)[1])
