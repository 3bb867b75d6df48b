"""Flags of commands, the way each treats them: unknown ones are refused, and an error is one line."""

import argparse
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from pipelines import COMMAND
from schemas.errors import ExitCode, InvalidOptions

EXIT_MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.REFUSED: "refused: flags, keys, contract, permissions or the output must be changed first",
    ExitCode.UNUSABLE_INPUT: "done, but the input was of no use",
    ExitCode.NOTHING_TO_DO: "nothing to do: no file is there",
    ExitCode.UNBALANCED_BOOKS: "the books do not balance",
    ExitCode.NOT_PROVEN: "done, but a key file was declared lost: it is not proven that the keys are destroyed",
    ExitCode.BUG: "a bug of this program",
    ExitCode.TRY_AGAIN: "storage or another engine failed, or another run holds the output: try again",
    ExitCode.INTERRUPTED: "interrupted",
}
"""What each code means, in the words of `--help` and of docs/schedule.md."""

EXIT_CODES = f"Exit codes: {'; '.join(f'{code:d} {meaning}' for code, meaning in EXIT_MEANINGS.items())}."
MIN_INSTALLATIONS = 10

_DURATION = re.compile(r"([0-9]{1,9})(s|min|h|d)")
_LONGEST = timedelta(days=36_525)
_WHOLE = re.compile(r"[0-9]{1,20}")
_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(?: ?(%))?")
_UNITS_S = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}


class RefusingParser(argparse.ArgumentParser):
    """Argument errors become InvalidOptions instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Raises InvalidOptions."""
        raise InvalidOptions(message)


class JobParser(RefusingParser):
    """Parser of a command that runs no Beam pipeline; abbreviations are not accepted."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "epilog": EXIT_CODES, **arguments})


def command_of(job: str) -> str:
    """The words that start a job, as the one that reads them has typed them."""
    typed = f"{COMMAND} {job}"
    return typed if sys.argv[0] == typed else f"python -m pipelines.{job}"


def job_parser(job: str, description: str) -> JobParser:
    """A parser for a job's command."""
    return JobParser(prog=command_of(job), description=description)


def duration(text: str) -> timedelta:
    """`90s`, `30min`, `24h`, `7d`, at most 100 years; argparse tells what is allowed otherwise."""
    found = _DURATION.fullmatch(text)
    length = timedelta(seconds=int(found[1]) * _UNITS_S[found[2]]) if found else None
    if length is None or length > _LONGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r}: allowed are a whole number and s, min, h or d, as in 24h, at most {_LONGEST.days}d"
        )
    return length


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """An argparse type for whole numbers in a range, both ends allowed."""

    def parse(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
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


def iso_date(text: str) -> date:
    """`2026-03-29`, and not 20260329 or 2026-W13-7; argparse tells what is allowed otherwise."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is YYYY-MM-DD")
    return found


def received_date(text: str) -> date:
    """A day in UTC: `2026-03-29`, `today`, or `yesterday` for a crontab line, where a % is no %."""
    days_ago = {"today": 0, "yesterday": 1}
    if text in days_ago:
        return datetime.now(UTC).date() - timedelta(days=days_ago[text])
    try:
        return iso_date(text)
    except argparse.ArgumentTypeError as cause:
        raise argparse.ArgumentTypeError(f"{cause}, today or yesterday") from None


def add_date(parser: JobParser) -> None:
    """The flag of commands that can do with some of the days."""
    parser.add_argument("--date", type=iso_date, action="append", metavar="YYYY-MM-DD",
                        help="Only this received_date; repeatable. Default: all.")  # fmt: skip


def add_min_installations(parser: JobParser) -> None:
    """The flag of commands whose figures are about several people at least."""
    parser.add_argument("--min_installations", type=whole_number(1, 10**6), default=MIN_INSTALLATIONS, metavar="K",
                        help="Figures of fewer installations are put together with others until there are so many; "
                        "where there is nothing to put them with, they are left out. Default: 10.")  # fmt: skip
