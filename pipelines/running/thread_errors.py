"""Errors of threads: told while a job runs, and passed over once it is being ended.

Threads that a runner started for a job fail when the job is gone (Beam 2.77: a KeyError), and all that is interrupted
fails in its own way. A traceback of each would follow the one line that a person is to read.
"""

import sys
import threading
from typing import Any

_ending = threading.Event()


def meet_thread_errors() -> None:
    """Sets this process's hooks; asked for by what runs a command, and by nothing that is only imported."""
    threading.excepthook = _tell_thread_error
    sys.unraisablehook = _tell_unraisable


def expect_thread_errors() -> None:
    """From now on they are passed over, where the hooks are set: the job is being ended."""
    _ending.set()


def _tell_thread_error(told: Any) -> None:
    if not _ending.is_set():
        threading.__excepthook__(told)


def _tell_unraisable(told: Any) -> None:
    if not _ending.is_set():
        sys.__unraisablehook__(told)
