"""Ctrl-C, the way every job treats it: one line and exit code 130, whatever is running.

A terminal sends it to every process of a job. Runners' workers would each tell
their own traceback, and a thread of a library that takes the signal does not
wake the main one; so it is ignored by processes that are started, blocked in
all threads, and one thread waits for it. (Linux keeps a blocked signal for who
waits, though it is to be ignored; elsewhere workers are not spared.)
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from pipelines.running.children import end_children, has_other_threads
from pipelines.running.thread_errors import expect_thread_errors

INTERRUPTED = 130
TOLD = "interrupted; run it again to make it whole"

_WAKE = signal.SIGUSR1
_LONGEST_S = 5.0
_AGAIN_S = 0.2
"""What comes in the moment in which the main thread begins to sleep or to wait does not end that: it is sent again."""

_heard = threading.Event()
_waiting: list[threading.Thread] = []
_running: list[None] = []
_met: list[None] = []
_own: list[Callable[..., None]] = []


def meet_interrupts() -> None:
    """Begins to wait for Ctrl-C: before other threads are there, and before a job's imports, which take a second.

    Until `end_what_runs` there is nothing to end but the process.
    """
    if _waiting:
        return
    if has_other_threads():
        signal.signal(signal.SIGINT, _woken)  # a library's threads do not block what this one would
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        if sys.platform == "linux":
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(_WAKE, _woken)
        _waiting.append(threading.Thread(target=_wait, name="interrupts", daemon=True))
        _waiting[0].start()


def end_what_runs() -> None:
    """From now on the first Ctrl-C is a KeyboardInterrupt, silent in every other thread; it may take 5 s, and a second
    one waits for nothing.
    """
    _running.append(None)


def handle_by(handler: Callable[..., None] | None) -> None:
    """Lets a job's own handler meet Ctrl-C, or again none. (`signal.signal` is not for that: Beam's job servers use it,
    and then nobody hears of the interrupt.)
    """
    _own[:] = [] if handler is None else [handler]
    if not _waiting and not _running:  # in a process that is no job
        signal.signal(signal.SIGINT, handler or signal.default_int_handler)


def was_interrupted() -> bool:
    """Whether Ctrl-C came: a runner makes another error of a KeyboardInterrupt that a step met."""
    return bool(_met)


def end_at_once() -> None:
    """Ends the process with the line. The claim of a dead holder is taken over."""
    end_children()
    print(TOLD, file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


def _wait() -> None:
    """Passes Ctrl-C on to the main thread, also where that waits for a lock."""
    while True:
        signal.sigwait([signal.SIGINT])
        if was_interrupted() or not _running:
            end_at_once()
        _heard.clear()
        while not _heard.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, _WAKE)
            _heard.wait(_AGAIN_S)


def _woken(*_: Any) -> None:
    _heard.set()
    if was_interrupted() or not _running:
        end_at_once()
    if _own:
        _own[0](signal.SIGINT, None)
        return
    _met.append(None)
    deadline = threading.Timer(_LONGEST_S, end_at_once)  # a runner may wait for ever for a worker that is gone
    deadline.daemon = True
    deadline.start()
    end_children()
    expect_thread_errors()
    logging.disable()
    raise KeyboardInterrupt
