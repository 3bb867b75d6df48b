"""What the pages name is there: files, modules, functions of ours, flags of the jobs, links between pages."""

import importlib
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("pipelines", "schemas", "transforms", "tests")
CONTRIBUTING = (ROOT / "docs" / "contributing.md").read_text()
MADE_BY_EXAMPLES = {*re.findall(r"Make `([^`]+)`:", CONTRIBUTING), "pipelines.days", "small_collector.py"}
"""What somebody who follows the pages makes."""


def named(page: Path) -> str:
    """The page without blocks of code; tests of their own run those."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def is_name(dotted: str) -> bool:
    """Whether it is a package, a module or something in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        if place.is_dir() or place.with_suffix(".py").exists():
            found = importlib.import_module(".".join(parts[:length])) if length < len(parts) else None
            for part in parts[length:]:
                found = getattr(found, part, None)
            return length == len(parts) or found is not None
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths_that_the_page_names_are_there(page: Path) -> None:
    folders = "|".join([*PACKAGES, "docs"])
    for path in set(re.findall(rf"`((?:{folders})/[\w./-]*\w/?)(?=[`:])", named(page))) - MADE_BY_EXAMPLES:
        assert (ROOT / path).exists(), (page.name, path)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_names_of_ours_that_the_page_names_are_there(page: Path) -> None:
    for dotted in (
        set(re.findall(rf"`(?:python -m )?((?:{'|'.join(PACKAGES)})\.[\w.]*\w)[` ]", named(page))) - MADE_BY_EXAMPLES
    ):
        assert is_name(dotted), (page.name, dotted)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_modules_that_stand_alone_in_the_page_are_there(page: Path) -> None:
    """As in `contexts.py`, without the folder."""
    for name in set(re.findall(r"`(\w+\.py)`", named(page))) - MADE_BY_EXAMPLES:
        assert list(ROOT.glob(f"*/**/{name}")), (page.name, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", named(page)):
        assert link.startswith("https://") or (page.parent / link).exists(), (page.name, link)


@cache
def flags_of_jobs() -> set[str]:
    found = {"--help"}
    for path in (ROOT / "pipelines").rglob("*.py"):
        found |= set(re.findall(r'"(--\w+)"', path.read_text()))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_flags_that_the_page_names_are_flags(page: Path) -> None:
    """Ours, and those of Beam, pytest, curl, and of commands as people write them in code."""
    others = {"--direct_num_workers", "--direct_running_mode", "--update-golden", "--experiments", "--mutations",
              "--checkpointing_interval", "--finish_bundle_before_checkpointing", "--telemetry",
              "--files_to_stage", "--job_name", "--parallelism", "--prism_location", "--runner",
              "--sdk_worker_parallelism", "--data-binary", "--password", "--add-opens"}  # fmt: skip
    for flag in set(re.findall(r"`(--[\w-]+)", named(page))) - others:
        assert flag in flags_of_jobs(), (page.name, flag)


def test_every_decision_stands_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    names = [path.name for path in folder.glob("[0-9]*.md")]
    assert [name for _, _, name in listed] == sorted(names, key=lambda name: int(name.partition("-")[0]))
    for number, title, name in listed:
        assert name.startswith(f"{number}-")
        assert (folder / name).read_text().startswith(f"# {title}\n")


def test_every_page_is_linked_from_another_one() -> None:
    linked = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    }
    assert not [page for page in PAGES[1:] if page.resolve() not in linked]


def test_what_no_page_names_is_not_found() -> None:
    """The search itself."""
    assert is_name("transforms.core.keys")
    assert is_name("schemas.registry.EVENT_DATASETS")
    assert not is_name("transforms.core.no_such_room")
    assert not is_name("schemas.registry.NO_SUCH_NAME")
