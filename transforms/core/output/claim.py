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
from transforms.core.output.claim_file import ClaimFile, beat_s_of, token_of, token_of_path
from transforms.core.output.claim_watch import PATIENT_BEATS, watch_of
from transforms.core.output.holder import is_dead, is_here, named, this_process
from transforms.core.output.layout import CLAIM_FILE, Output
from transforms.core.output.unfinished import check_finished

BEAT_S = 10.0
"""How often a holder beats."""

STILL_BEATS = 2 * PATIENT_BEATS
"""A holder is dead when so many beats did not come. It looks whether it still holds the claim before it writes, where
half of them did not, and then its workers elsewhere write no more."""

_LEAST_BEAT_S, _MOST_BEAT_S = 0.2, 60.0
"""A claim that tells of another rhythm is not watched."""

_TRIES = 3


@contextmanager
def claimed(output: Output, name: str = CLAIM_FILE, *, to_finish: bool = False) -> Iterator[None]:
    """Holds the output, or what the claim of another name stands for, while the block runs.

    Raises OutputInUse, naming the holder, where another run that may be alive
    holds it. The claim of a process of this machine that is dead is taken over at
    once, any other one when its heartbeat was seen to stand still. Raises
    UnfinishedChange where a change was cut off, unless it is taken `to_finish` one.
    """
    claim = Claim(output, name)
    claim.take()
    place = (storage.absolute(output.path), name)
    _HELD[place] = claim
    try:
        with claim.beating():
            claim.clear_left()
            if not to_finish:
                check_finished(output)
            yield
    finally:
        del _HELD[place]
        claim.release()


def check_held(output: Output) -> None:
    """Raises OutputInUse where a run of this process lost the output while it was stopped or asleep.

    Workers call it when they begin and before they write. In the process that holds the claim it asks the storage only
    when the last look is long ago; elsewhere the worker looks by itself.
    """
    claim = _HELD.get((storage.absolute(output.path), CLAIM_FILE))
    if claim is None and output.claim:
        watch_of(output).check()
    elif claim is not None and claim.is_overdue:
        claim.confirm()


def held_by_this_run(output: Output) -> Output:
    """The output as workers anywhere find it, with the name of this run's claim, where it holds one."""
    path = storage.absolute(output.path)
    claim = _HELD.get((path, CLAIM_FILE))
    return Output(path, claim.token if claim else "")


def _end_process(told: str) -> None:
    """What a holder does that lost its claim: nothing more is written, nothing cleaned up."""
    print(f"error: {told}", file=sys.stderr, flush=True)
    os._exit(OutputInUse.exit_code)


class Claim:
    """A run's claim to an output; `lost` is called from a thread where another run has it."""

    def __init__(self, output: Output, name: str = CLAIM_FILE, lost: Callable[[str], None] = _end_process) -> None:
        self._output = output
        self._file = ClaimFile(output, name)
        self._path = self._file.path
        self.token = uuid.uuid4().hex
        self._data = json.dumps({**this_process(), "token": self.token, "beat_s": BEAT_S}).encode()
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
            storage.remove(self._file.beat_path(self.token))
            raise
        self._beat(0)  # who held it meanwhile took the first one for a dead run's
        self._confirmed_at = time.monotonic()

    def clear_left(self) -> None:
        """Removes beats, and claims to take over, of runs that died while they took this claim or let it go.

        Nobody else knows their names. Another run that is about to try does no harm without them: it looks at the claim
        before it writes one, and beats again when it has it.
        """
        for path in self._file.beside():
            if token_of_path(path) != self.token:
                storage.remove(path)

    def _try(self) -> bool:
        """False where a claim was let go since it was found."""
        if storage.create_exclusive(self._path, self._data):
            return True
        found = self._file.read()
        if found is None or not (is_dead(found) or self._stands_still(found)):
            return False
        won = f"{self._path}.{token_of(found) or 'old'}.over"  # of all that found it dead one goes on
        if not storage.create_exclusive(won, self._data):
            return self._let_go_of(won)
        try:
            if self._file.read() != found:
                raise OutputInUse(f"{self._output} was just claimed by another run")
            storage.write_atomic(self._path, self._data)
            storage.remove(self._file.beat_path(token_of(found)))
        finally:
            storage.remove(won)
        return True

    def _let_go_of(self, won: str) -> bool:
        """Removes what a run left that died while it took over: three requests, so it needs no heartbeat.

        False where it is gone; raises OutputInUse where it may be at it.
        """
        other = self._file.read_path(won)
        if other is not None and not is_dead(other):
            if is_here(other):
                raise OutputInUse(f"{self._output} is being taken over by {named(other)}")
            time.sleep(STILL_BEATS * BEAT_S)
            if self._file.read_path(won) != other:
                raise OutputInUse(f"{self._output} was just claimed by another run")
        storage.remove(won)
        return False

    def _stands_still(self, found: dict[str, Any]) -> bool:
        """Whether the holder's heart did not beat while it was watched; False where its claim went meanwhile.

        Raises OutputInUse where it beats, or where there is nothing to watch.
        """
        beat_s = beat_s_of(found)
        if is_here(found) or not token_of(found) or not _LEAST_BEAT_S <= beat_s <= _MOST_BEAT_S:
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
        first, until = self._file.heartbeat(found), time.monotonic() + still_s
        while time.monotonic() < until:
            time.sleep(min(beat_s / 2, max(until - time.monotonic(), 0)))
            if self._file.read() is None:
                return False
            if self._file.read() != found or self._file.heartbeat(found) != first:
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
        asked_at, found = time.monotonic(), self._file.read()
        if found is None or found.get("token") != self.token:
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
        storage.remove(self._file.beat_path(self.token))

    def _beat(self, number: int) -> None:
        storage.write_atomic(self._file.beat_path(self.token), f"{number}\n".encode())


_HELD: dict[tuple[str, str], Claim] = {}
"""Claims that this process holds, by output and name."""
