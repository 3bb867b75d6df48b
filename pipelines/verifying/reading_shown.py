"""How far reading has come, on a terminal alone."""

import sys
import time
from types import TracebackType

_EVERY_S = 0.5


class ReadingShown:
    """A line that lives while files are read; nothing where nobody looks."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._read_bytes = 0
        self._shown_at_s = time.monotonic()
        self._is_seen = sys.stderr.isatty() and size_bytes > 0

    def __enter__(self) -> "ReadingShown":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_seen:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def add(self, size_bytes: int) -> None:
        """So many bytes more were read."""
        self._read_bytes += size_bytes
        now_s = time.monotonic()
        if self._is_seen and now_s - self._shown_at_s >= _EVERY_S:
            self._shown_at_s = now_s
            done = f"{self._read_bytes / 1e9:,.2f} of {self._size_bytes / 1e9:,.2f} GB read"
            sys.stderr.write(f"\r\x1b[K{done}, {self._read_bytes / max(self._size_bytes, 1):.0%}")
            sys.stderr.flush()
