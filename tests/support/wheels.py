"""The wheel, built from the tree, and an environment that holds it, what it asks for, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipelines", "schemas", "transforms")
DISTRIBUTION = "suggestion-telemetry"


def build_wheel(place: Path) -> Path:
    """Without a network."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, place / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place / "tree")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", place, "."]
    done = subprocess.run(command, cwd=place / "tree", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = place.glob("*.whl")
    return found


class CleanEnvironment:
    """A virtual environment with the wheel installed by pip, without network and dependencies.

    The distributions that the wheel asks for are linked in from the environment of the tests, as their own records
    list them: no dev dependency, and not the editable install of the tree.
    """

    def __init__(self, wheel: Path, place: Path) -> None:
        venv.create(place, symlinks=True)
        self.bin = place / "bin"
        self.python = str(self.bin / "python")
        self.command = str(self.bin / DISTRIBUTION)
        install = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-deps", "--no-index",
                   "--no-compile", "--disable-pip-version-check", str(wheel)]  # fmt: skip
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (self.site,) = place.glob("lib/python*/site-packages")
        (metadata,) = self.site.glob("*.dist-info/METADATA")
        self.asked_for = closure(re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(), re.MULTILINE))
        link(self.asked_for, self.site)

    @property
    def env(self) -> dict[str, str]:
        """Where `python` is this one, and nothing leads to another one's modules."""
        left_out = ("PYTHON", "COVERAGE", "VIRTUAL_ENV", "PYTEST")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        return {**kept, "PATH": f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin"}

    def run(self, *command: str, cwd: Path, timeout_s: float = 100) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=cwd, env=self.env, capture_output=True, text=True, check=False, timeout=timeout_s
        )


def closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions that these ask for, and those that they ask for, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting = [(requirement, "") for requirement in requirements]
    seen = set()
    while waiting:
        text, extra = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                try:
                    found[name] = distribution(name)
                except PackageNotFoundError:
                    raise AssertionError(f"{text} is asked for and not installed: make setup") from None
                waiting += [(text, wanted) for text in found[name].requires or ()]
    return found


def link(asked_for: dict[str, Distribution], site: Path) -> None:
    """Links what these distributions hold: a whole folder where no other distribution has files in it."""
    wanted = {str(Path(d._path).name) for d in asked_for.values()}  # type: ignore[attr-defined]
    holders: dict[tuple[str, ...], set[str]] = defaultdict(set)
    places: dict[tuple[str, ...], Path] = {}
    for found in distributions():
        for file in found.files or ():
            if ".." in file.parts or "__pycache__" in file.parts or file.suffix == ".pth":
                continue
            for depth in range(1, len(file.parts) + 1):
                holders[file.parts[:depth]].add(found._path.name)  # type: ignore[attr-defined]
                places[file.parts[:depth]] = Path(str(found.locate_file(""))).joinpath(*file.parts[:depth])
    linked: set[tuple[str, ...]] = set()
    for parts in sorted(places, key=len):
        is_below = any(parts[:depth] in linked for depth in range(1, len(parts)))
        if holders[parts] <= wanted and not is_below:
            site.joinpath(*parts).parent.mkdir(parents=True, exist_ok=True)
            site.joinpath(*parts).symlink_to(places[parts])
            linked.add(parts)
