"""How far this process has come: counters that steps add to and a job shows."""

import threading
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Bytes of source files read (as stored), events decoded, buckets written; in this process alone."""

    read_bytes: int = 0
    events: int = 0
    buckets: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, read_bytes: int = 0, events: int = 0, buckets: int = 0) -> None:
        """Adds to the counters; safe from any thread."""
        with self._lock:
            self.read_bytes += read_bytes
            self.events += events
            self.buckets += buckets

    def reset(self) -> None:
        """Starts anew."""
        with self._lock:
            self.read_bytes = self.events = self.buckets = 0


PROGRESS = Progress()
"""The counters of this process."""
