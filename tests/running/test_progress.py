"""Progress: a living line where someone looks, plain lines now and then elsewhere."""

import io
import time

import pytest

from pipelines.running import progress
from transforms.core.progress import PROGRESS


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_line_tells_events_rate_share_and_time_left() -> None:
    PROGRESS.reset()
    PROGRESS.add(read_bytes=250, events=5000)
    assert progress.line(1000, 16, 10.0) == "5,000 events, 500/s, 25% read, 30 s left"
    PROGRESS.add(read_bytes=750, events=15000, buckets=3)
    assert progress.line(1000, 16, 40.0) == "20,000 events read, 500/s; written 3 of 16 buckets"


@pytest.mark.parametrize(("out", "mark"), [(Terminal(), "\r"), (io.StringIO(), "\n")], ids=["terminal", "elsewhere"])
def test_shown_while_the_block_runs(out: io.StringIO, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TERMINAL_INTERVAL_S", 0.01)
    monkeypatch.setattr(progress, "QUIET_INTERVAL_S", 0.01)
    with progress.shown(1000, 16, out):
        PROGRESS.add(read_bytes=10, events=7)
        time.sleep(0.2)
    assert "7 events" in out.getvalue()
    assert mark in out.getvalue()


def test_a_short_run_elsewhere_prints_nothing() -> None:
    out = io.StringIO()
    with progress.shown(1000, 16, out):
        PROGRESS.add(events=7)
    assert out.getvalue() == ""
