"""Processes that a job starts: they end when the job ends, and also when it is killed.

A pipe tells them, which works wherever there are pipes: a child's stdin is one
whose other end the job holds, and whatever ends the job closes that end. (The
kernel's own signal for this, Linux's PR_SET_PDEATHSIG, is not there on macOS,
and came already when the thread that had started the child was gone.)
"""

import os
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

_SHELL = 'exec 3<&0; (exec >/dev/null 2>&1; trap "" HUP INT TERM; read -r _ <&3; kill -9 0) & exec "$@" </dev/null 3<&-'
"""Becomes the program, under its own process id; what is forked before waits for the pipe's end and kills the group."""

_ENDED = 1


def start_program(command: Sequence[str], **more: Any) -> "subprocess.Popen[bytes]":
    """Starts a program that knows nothing of its parent, with an empty stdin; gives it as `subprocess.Popen` does.

    It is killed when the `stdin` of what is given is closed, by this process or by its end.
    """
    return _start(["/bin/sh", "-c", _SHELL, "sh", *command], **more)


def start_ours(command: Sequence[str], **more: Any) -> "subprocess.Popen[bytes]":
    """Starts a program of ours, which calls `end_with_stdin` and is ended by that when its stdin is closed."""
    return _start(command, **more)


def _start(command: Sequence[str], **more: Any) -> "subprocess.Popen[bytes]":
    """In a group of its own: Ctrl-C on the terminal is for the job, which then ends its children."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0, **more)


def end_with_stdin() -> None:
    """Reads what is left of stdin in a thread, and ends the process after it."""
    threading.Thread(target=_end_with_stdin, name="lifeline", daemon=True).start()


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(_ENDED)


def end_children() -> None:
    """Ends what this process has started and not ended, and what that has started: Beam leaves its Prism to Python's
    teardown.
    """
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.terminate()


def has_other_threads() -> bool:
    """Whether there are threads in this process beside the one that asks, also of native libraries."""
    return psutil.Process().num_threads() > 1
