"""Runs a command to its end: errors are one line, interrupts too, and each way to end has its exit code."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from pipelines.running.children import end_children
from pipelines.running.interrupts import INTERRUPTED, TOLD, end_what_runs, meet_interrupts, was_interrupted
from pipelines.running.thread_errors import meet_thread_errors
from schemas.errors import PipelineError
from schemas.locations import without_secrets


def run_job(main: Callable[[Sequence[str]], None]) -> NoReturn:
    """Runs a job's main with the command line; a PipelineError is one line, the books where it has any, and its own
    exit code. Ctrl-C is one line and 130; a second one ends at once.

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
    code = 0
    try:
        main(sys.argv[1:])
    except PipelineError as error:
        code = _told(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception:
        if not was_interrupted():  # a runner makes another error of the interrupt that its worker met
            raise
        code = INTERRUPTED
    if code == INTERRUPTED:
        print(TOLD, file=sys.stderr)
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


def _told(error: PipelineError) -> int:
    """Tells an error and gives its exit code; what came of an interrupt is that."""
    if was_interrupted():
        return INTERRUPTED
    print(f"error: {_one_line(str(error))}", file=sys.stderr, flush=True)
    if error.books:
        print(error.books)
    return error.exit_code


def _one_line(text: str) -> str:
    return " ".join(text.split())
