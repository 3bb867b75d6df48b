"""What a worker in another process, or on another machine, knows of the claim that its run holds.

A cluster goes on with a job when the process that started it is dead or has lost the output. Such workers would write
beside the run that came after. So each of them looks, before it writes, whether the claim still is that of its own
run and whether that run's heart still beats.
"""

import threading
import time

from schemas.errors import OutputInUse, StorageRefused
from transforms.core.output.claim_file import ClaimFile, beat_s_of
from transforms.core.output.holder import named
from transforms.core.output.layout import Output

PATIENT_BEATS = 3
"""A worker stops when so many beats of its run did not come; another run takes over after twice as many."""

_LOOK_S = 1.0
"""A look counts for so long: a portion is written in a second, and a store's answer takes 30 ms."""


class ClaimWatch:
    """Watches the claim of one run in one output, in one process."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._file = ClaimFile(output)
        self._looked_at = float("-inf")
        self._beat: bytes | None = None
        self._beat_seen_at = 0.0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises OutputInUse where the claim is no more that of the worker's run, or no beat of it comes, and
        StorageRefused where there is none.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at >= _LOOK_S:
                self._look(now)
                self._looked_at = now

    def _look(self, now: float) -> None:
        found = self._file.read()
        if found is None:
            raise StorageRefused(
                f"no claim to {self._output} is seen from a worker: its run is over, or its machine does not see the "
                "files of that path, as --shared_filesystem says"
            )
        if found.get("token") != self._output.claim:
            raise OutputInUse(
                f"the claim to {self._output} is now held by {named(found)}: the run of this worker is over"
            )
        beat = self._file.heartbeat(found)
        if beat != self._beat:
            self._beat, self._beat_seen_at = beat, now
        still_s = now - self._beat_seen_at
        if still_s > PATIENT_BEATS * beat_s_of(found):
            raise OutputInUse(
                f"no heartbeat of {named(found)} for {still_s:.0f} s, whose run this worker belongs to: it may be "
                f"dead, and another one may take {self._output} over"
            )


def watch_of(output: Output) -> ClaimWatch:
    """The watch of this process over an output's claim; made at the first call, when a worker begins."""
    with _lock:
        return _watches.setdefault((output.path, output.claim), ClaimWatch(output))


_watches: dict[tuple[str, str], ClaimWatch] = {}
_lock = threading.Lock()
