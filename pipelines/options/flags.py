"""Flags, the way every job treats them: unknown ones are refused, errors are one line."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple, NoReturn, TypeVar

from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

import schemas.errors
from pipelines.running.interrupts import (
    INTERRUPTED,
    TOLD,
    end_children,
    end_what_runs,
    meet_interrupts,
    was_interrupted,
)
from schemas.errors import InternalError, InvalidOptions, PipelineError
from schemas.locations import without_secrets

_DURATION = re.compile(r"(\d+)(s|min|h|d)")
_SHARE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?: ?(%))?")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_FROM_WORKER = re.compile(r"^(?:[\w.]+\.)?(\w+): (.*?)(?: \[while running .*)?$", re.MULTILINE)
EXIT_CODES = "Exit codes: 0 done; 1 refused, or failed; 3 done, but the input was of no use; 130 interrupted."
MIN_INSTALLATIONS = 10
Options = TypeVar("Options", bound=PipelineOptions)


class JobOptions(PipelineOptions):
    """Base of a job's own flags, which no runner gets to see.

    A runner sends all options that it is given to its workers as JSON (Beam 2.77), which a timedelta does not fit
    and where a path of keys is nobody's business. Beam finds flags to parse again in direct subclasses of
    PipelineOptions; a subclass of this class is none.
    """

    def for_runner(self) -> PipelineOptions:
        """Beam's own options alone, as they are now."""
        own = _BeamArgumentParser(allow_abbrev=False)
        for part in _own_parts(type(self)):
            part._add_argparse_args(own)
        flags, beams = own.parse_known_args(self._flags)
        return PipelineOptions(beams, **{k: v for k, v in self._all_options.items() if k not in vars(flags)})


def _own_parts(kind: type[PipelineOptions]) -> list[Any]:
    """The classes whose flags a job's options have, as Beam itself asks a class and its bases."""
    return [part for part in kind.__mro__[: kind.__mro__.index(PipelineOptions)]
            if "_add_argparse_args" in vars(part)]  # fmt: skip


class _Refusing:
    """Argument errors become InvalidOptions instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise InvalidOptions(message)


class JobParser(_Refusing, argparse.ArgumentParser):
    """Parser of a job that is no Beam pipeline; abbreviations are not accepted."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "epilog": EXIT_CODES, **arguments})


def job_parser(job: str, description: str) -> JobParser:
    """A parser for `python -m pipelines.<job>`."""
    return JobParser(prog=f"python -m pipelines.{job}", description=description)


class _PipelineParser(_Refusing, _BeamArgumentParser):
    """Parser of all of Beam's flags and a job's own."""


def parse_pipeline_options(job: str, kind: type[Options], required: Sequence[str], argv: Sequence[str]) -> Options:
    """A job's flags and Beam's own.

    Beam ignores flags it does not know, so all are parsed here first; raises
    InvalidOptions on one that is unknown, has a value that is not allowed, or
    is required and missing.
    """
    usage = f"python -m pipelines.{job} {' '.join(f'--{name} ...' for name in required)} [flags]"
    parser = _PipelineParser(
        prog=f"pipelines.{job}", usage=usage, description=kind.__doc__, epilog=EXIT_CODES, allow_abbrev=False
    )
    own = parser.add_argument_group(f"flags of pipelines.{job}")
    for part in _own_parts(kind):
        part._add_argparse_args(own)
    beam = parser.add_argument_group("Beam's own flags")
    beam.add_value_provider_argument = parser.add_value_provider_argument
    for options in {str(o): o for o in PipelineOptions.__subclasses__()}.values():
        if options.__module__.startswith("apache_beam"):
            options._add_argparse_args(beam)
    given = parser.parse_args(list(argv))
    missing = [f"--{name}" for name in required if getattr(given, name) is None]
    if missing:
        raise InvalidOptions(f"required and missing: {', '.join(missing)}")
    return kind(list(argv))


def duration(text: str) -> timedelta:
    """`90s`, `30min`, `24h`, `7d`; argparse tells what is allowed otherwise."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are a whole number and s, min, h or d, as in 24h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """An argparse type for whole numbers in a range, both ends allowed."""

    def parse(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: allowed is a whole number from {low} to {high}")
        return int(text)

    return parse


class Share(NamedTuple):
    """A part of a whole, from 0 to 1, and how it was written."""

    value: float
    text: str


def share(text: str) -> Share:
    """`5%`, `5 %` or `0.05`; argparse tells what is allowed otherwise."""
    found = _SHARE.fullmatch(text)
    value = float(found[1]) / (100 if found[2] else 1) if found else 2.0
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is a share from 0 to 1, as in 5% or 0.05")
    return Share(value, text)


def add_date(parser: JobParser) -> None:
    """The flag of jobs that can do with some of the days."""
    parser.add_argument("--date", type=_date, action="append", metavar="YYYY-MM-DD",
                        help="Only this received_date; repeatable. Default: all.")  # fmt: skip


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidOptions(f"--date {text!r}: allowed is YYYY-MM-DD") from None


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


def pipeline_error(error: Exception) -> PipelineError:
    """The PipelineError that a runner passed on: itself, or as text with its class's name in it.

    Anything else becomes an InternalError of its type alone; its text may quote data.
    """
    text = str(error)
    if isinstance(error, PipelineError):
        return type(error)(text.partition(" [while running ")[0])
    for name, message in reversed(_FROM_WORKER.findall(text)):
        kind = getattr(schemas.errors, name, None)
        if isinstance(kind, type) and issubclass(kind, PipelineError):
            return kind(message)
    return InternalError(f"{type(error).__name__} in the runner")


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


def add_min_installations(parser: JobParser) -> None:
    """The flag of jobs whose figures are about several people at least."""
    parser.add_argument("--min_installations", type=whole_number(1, 10**6), default=MIN_INSTALLATIONS, metavar="K",
                        help="Figures of fewer installations are put together with others until there are so many; "
                        "where there is nothing to put them with, they are left out. Default: 10.")  # fmt: skip
