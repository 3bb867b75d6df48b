"""Shows a long run's progress: one living line on a terminal, a plain line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from transforms.core.progress import PROGRESS

TERMINAL_INTERVAL_S = 0.5
QUIET_INTERVAL_S = 30.0


def line(total_bytes: int, total_buckets: int, elapsed_s: float) -> str:
    """Events, rate, share done and time left, as one line.

    Reading is all but the whole of a run; the time left is for it, at the rate so far.
    """
    events, rate = PROGRESS.events, PROGRESS.events / max(elapsed_s, 0.001)
    if PROGRESS.buckets or PROGRESS.read_bytes >= total_bytes:
        return f"{events:,} events read, {rate:,.0f}/s; written {PROGRESS.buckets} of {total_buckets} buckets"
    share = PROGRESS.read_bytes / total_bytes
    left = f", {elapsed_s / share - elapsed_s:,.0f} s left" if share > 0.005 else ""
    return f"{events:,} events, {rate:,.0f}/s, {share:.0%} read{left}"


@contextmanager
def shown(total_bytes: int, total_buckets: int, out: TextIO | None = None) -> Iterator[None]:
    """Shows progress while the block runs: twice a second on a terminal, every 30 s elsewhere."""
    PROGRESS.reset()
    out = out or sys.stderr
    is_terminal = out.isatty()
    done = threading.Event()

    def show() -> None:
        started = time.monotonic()
        while not done.wait(TERMINAL_INTERVAL_S if is_terminal else QUIET_INTERVAL_S):
            text = line(total_bytes, total_buckets, time.monotonic() - started)
            out.write(f"\r\x1b[K{text}" if is_terminal else f"{text}\n")
            out.flush()

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if is_terminal:
            out.write("\r\x1b[K")
            out.flush()
