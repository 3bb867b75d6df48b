"""Pages made once for a module, and a browser that shows them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from pipelines import generate, report
from tests.conftest import run_batch
from tests.reporting.browser import CHROMIUM, FEW, FLAGS


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("left out: the report in a browser, as no chromium is installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day with enough of everything."""
    folder = tmp_path_factory.mktemp("report")
    generate.main([f"--output={folder}/day", "--events=9000", "--seed=31", "--date=2026-03-29"])
    run_batch(folder / "day" / "raw", folder / "out", "--close_open_suggestions")
    report.main([f"--datasets={folder}/out", f"--to={folder}/report.html", f"--min_installations={FEW}"])
    return folder
