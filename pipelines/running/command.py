"""Runs a command to its end: errors are one line, interrupts too, and each way to end has its exit code."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from pipelines.running.children import end_children
from pipelines.running.endings import ending_of
from pipelines.running.interrupts import end_what_runs, meet_interrupts
from pipelines.running.thread_errors import meet_thread_errors
from schemas.errors import ExitCode, PipelineError
from schemas.locations import without_secrets


def run_job(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Runs a job's main with the command line; a PipelineError is one line, the books where it has any, and its own
    exit code. Anything else is a bug: a traceback and a code of its own, as Python's own 1 stands for what is refused.
    Ctrl-C is one line and 130; a second one ends at once.

    Ends the process without Python's teardown: once in some sixty runs a thread
    of a native library was still up then, and a run that had done all its work
    ended as a crash ("terminate called without an active exception").
    """
    logging.basicConfig(level=logging.WARNING, handlers=[_told_without_secrets()], force=True)  # a library may have
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # errors come back as exceptions
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.WARNING)  # Prism's lines get their level after their logger has let them through
    meet_interrupts()
    meet_thread_errors()
    end_what_runs()
    code = ExitCode.DONE
    try:
        main(sys.argv[1:])
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told, with its traceback where it is a bug
        code = _told(error)
    sys.stdout.flush()
    sys.stderr.flush()
    end_children()
    os._exit(code)


class _WithoutSecrets(logging.Formatter):
    """Clients of object stores log the URLs that they try again."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _told_without_secrets() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(_WithoutSecrets("%(levelname)s %(message)s"))
    return handler


def _told(error: BaseException) -> ExitCode:
    """Tells an error and gives its exit code; what came of an interrupt is that."""
    ending = ending_of(error)
    if ending.code == ExitCode.INTERRUPTED:
        print(ending.error, file=sys.stderr)
    elif isinstance(error, PipelineError):
        begin = "nothing to do" if ending.code == ExitCode.NOTHING_TO_DO else "error"
        print(f"{begin}: {ending.error}", file=sys.stderr, flush=True)
        if error.books:
            print(error.books)
    else:
        traceback.print_exception(error)
    return ending.code
