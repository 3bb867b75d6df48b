"""Flags, the way every job treats them: unknown ones are refused, errors are one line."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, NoReturn, TypeVar

from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

import schemas.errors
from schemas.errors import InternalError, InvalidOptions, PipelineError
from schemas.locations import without_secrets

_DURATION = re.compile(r"(\d+)(s|min|h|d)")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_FROM_WORKER = re.compile(r"^(?:[\w.]+\.)?(\w+): (.*?)(?: \[while running .*)?$", re.MULTILINE)
Options = TypeVar("Options", bound=PipelineOptions)


class _Refusing:
    """Argument errors become InvalidOptions instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise InvalidOptions(message)


class JobParser(_Refusing, argparse.ArgumentParser):
    """Parser of a job that is no Beam pipeline; abbreviations are not accepted."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **arguments})


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
    parser = _PipelineParser(prog=f"pipelines.{job}", usage=usage, description=kind.__doc__, allow_abbrev=False)
    own = parser.add_argument_group(f"flags of pipelines.{job}")
    for part in kind.__mro__[: kind.__mro__.index(PipelineOptions)]:  # as Beam itself asks a class and its bases
        part._add_argparse_args(own)  # type: ignore[attr-defined]
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
    """Runs a job's main with the command line; a PipelineError is one line and its own exit code.

    Ends the process without Python's teardown: once in some sixty runs a thread
    of a native library was still up then, and a run that had done all its work
    ended as a crash ("terminate called without an active exception").
    """
    logging.basicConfig(level=logging.WARNING, handlers=[_told_without_secrets()], force=True)  # a library may have
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # errors come back as exceptions
    code = 0
    try:
        main(sys.argv[1:])
    except PipelineError as error:
        print(f"error: {_one_line(str(error))}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
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


def _one_line(text: str) -> str:
    return " ".join(text.split())
