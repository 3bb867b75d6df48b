"""One writer of an output at a time.

A claim is a file that one run creates and no other can. Its holder beats: every
few seconds it writes a number that grows into a file of its own beside it. Who
finds a claim whose holder cannot be looked up watches that number by its own
clock, and takes over what stands still; a clock that is wrong anywhere changes
nothing. The holder looks at the claim at each beat, and before it writes after
a pause, and stops where it is another's.
"""

import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from schemas.errors import OutputInUse, StorageUnavailable
from transforms.core import storage
from transforms.core.output.holder import is_dead, is_here, named, this_process
from transforms.core.output.layout import CLAIM_FILE, Output

BEAT_S = 10.0
"""How often a holder beats."""

STILL_BEATS = 6
"""A holder is dead when so many beats did not come. It looks whether it still holds the claim before it writes, where
half of them did not."""

_LEAST_BEAT_S, _MOST_BEAT_S = 0.2, 60.0
"""A claim that tells of another rhythm is not watched."""

_TRIES = 3


@contextmanager
def claimed(output: Output, name: str = CLAIM_FILE) -> Iterator[None]:
    """Holds the output, or what the claim of another name stands for, while the block runs.

    Raises OutputInUse, naming the holder, where another run that may be alive
    holds it. The claim of a process of this machine that is dead is taken over at
    once, any other one when its heartbeat was seen to stand still.
    """
    claim = Claim(output, name)
    claim.take()
    place = (storage.absolute(output.path), name)
    _HELD[place] = claim
    try:
        with claim.beating():
            yield
    finally:
        del _HELD[place]
        claim.release()


def check_held(output: Output) -> None:
    """Raises OutputInUse where a run of this process lost the output while it was stopped or asleep.

    Workers call it before they write; it asks the storage only when the last look is long ago.
    """
    claim = _HELD.get((storage.absolute(output.path), CLAIM_FILE))
    if claim is not None and claim.is_overdue:
        claim.confirm()


def _end_process(told: str) -> None:
    """What a holder does that lost its claim: nothing more is written, nothing cleaned up."""
    print(f"error: {told}", file=sys.stderr, flush=True)
    os._exit(OutputInUse.exit_code)


class Claim:
    """A run's claim to an output; `lost` is called from a thread where another run has it."""

    def __init__(self, output: Output, name: str = CLAIM_FILE, lost: Callable[[str], None] = _end_process) -> None:
        self._output = output
        self._path = output.beside(name)
        self._token = uuid.uuid4().hex
        self._data = json.dumps({**this_process(), "token": self._token, "beat_s": BEAT_S}).encode()
        self._lost = lost
        self._confirmed_at = time.monotonic()
        self._is_over = threading.Event()

    def take(self) -> None:
        """Creates the claim, or takes over a dead one; raises OutputInUse."""
        self._beat(0)  # before the claim: who reads that finds a beat to watch
        try:
            if not any(self._try() for _ in range(_TRIES)):
                raise OutputInUse(f"{self._output} was just claimed by another run")
        except BaseException:
            storage.remove(self._beat_path(self._token))
            raise
        self._confirmed_at = time.monotonic()

    def _try(self) -> bool:
        """False where a claim was let go since it was found."""
        if storage.create_exclusive(self._path, self._data):
            return True
        found = self._read()
        if found is None or not (is_dead(found) or self._stands_still(found)):
            return False
        won = f"{self._path}.{_token_of(found) or 'old'}.over"  # of all that found it dead one goes on
        if not storage.create_exclusive(won, self._data):
            raise OutputInUse(f"{self._output} is being taken over by another run; if there is none, remove {won}")
        try:
            if self._read() != found:
                raise OutputInUse(f"{self._output} was just claimed by another run")
            storage.write_atomic(self._path, self._data)
            storage.remove(self._beat_path(_token_of(found)))
        finally:
            storage.remove(won)
        return True

    def _stands_still(self, found: dict[str, Any]) -> bool:
        """Whether the holder's heart did not beat while it was watched; False where its claim went meanwhile.

        Raises OutputInUse where it beats, or where there is nothing to watch.
        """
        told_s = found.get("beat_s")
        beat_s = float(told_s) if isinstance(told_s, int | float) else 0.0
        if is_here(found) or not _token_of(found) or not _LEAST_BEAT_S <= beat_s <= _MOST_BEAT_S:
            raise OutputInUse(
                f"{self._output} is being written by {named(found)}; if that run is dead, remove {self._path}"
            )
        still_s = STILL_BEATS * beat_s
        print(
            f"{self._output} is claimed by {named(found)}; watching its heartbeat: it is taken over if that stands "
            f"still for {still_s:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        first, until = self._heartbeat(found), time.monotonic() + still_s
        while time.monotonic() < until:
            time.sleep(min(beat_s / 2, max(until - time.monotonic(), 0)))
            if self._read() is None:
                return False
            if self._read() != found or self._heartbeat(found) != first:
                raise OutputInUse(f"{self._output} is being written by {named(found)}: its heart beats")
        return True

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Beats while the block runs."""
        thread = threading.Thread(target=self._keep_beating, name="claim", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _keep_beating(self) -> None:
        number = 0
        while not self._is_over.wait(BEAT_S):
            number += 1
            try:
                self.confirm()
                self._beat(number)
            except OutputInUse as lost:
                self._lost(str(lost))
                return
            except StorageUnavailable:
                continue  # the next look tells, and who writes before it looks first

    @property
    def is_overdue(self) -> bool:
        """Whether the last look is so long ago that another run may soon hold this one dead."""
        return time.monotonic() - self._confirmed_at > STILL_BEATS / 2 * BEAT_S

    def confirm(self) -> None:
        """Raises OutputInUse where the claim is no more this run's."""
        asked_at, found = time.monotonic(), self._read()
        if found is None or found.get("token") != self._token:
            holder = f"now held by {named(found)}" if found else "gone"
            raise OutputInUse(
                f"the claim to {self._output} is {holder}: no heartbeat of this run was seen for too long, so it stops "
                "before it writes more"
            )
        self._confirmed_at = asked_at

    def release(self) -> None:
        """Removes the claim where it is this run's."""
        with suppress(OutputInUse):
            self.confirm()
            storage.remove(self._path)
        storage.remove(self._beat_path(self._token))

    def _beat(self, number: int) -> None:
        storage.write_atomic(self._beat_path(self._token), f"{number}\n".encode())

    def _beat_path(self, token: str) -> str:
        return f"{self._path}.{token}.beat"

    def _heartbeat(self, found: dict[str, Any]) -> bytes | None:
        return _content(self._beat_path(_token_of(found)))

    def _read(self) -> dict[str, Any] | None:
        """What the claim says, None where there is none; raises OutputInUse where it cannot be understood."""
        data = _content(self._path)
        if data == b"":  # made, and not yet written
            time.sleep(_LEAST_BEAT_S)
            data = _content(self._path)
        if data is None:
            return None
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise OutputInUse(f"{self._path} is damaged, so its holder is not known; if no run writes, remove it")
        return found


def _token_of(found: dict[str, Any]) -> str:
    """What names the holder's heartbeat; empty where it has none, as in older versions."""
    token = found.get("token")
    return token if isinstance(token, str) and token.isalnum() else ""


_HELD: dict[tuple[str, str], Claim] = {}
"""Claims that this process holds, by output and name."""


def _content(path: str) -> bytes | None:
    """A small file's bytes; None where it is not there."""
    try:
        return storage.read_bytes(path)
    except StorageUnavailable:
        if storage.exists(path):
            raise
        return None
