"""`--log_format json`: every line on stderr is a JSON object, and a run tells its begin, its stages and its end.

Fields: `time` (UTC), `level`, `message`, `run`; of a stage `stage`, `seconds` and `counts`; of the end `outcome`,
`exit_code`, `seconds` and `counts`. What else is printed, by libraries too, is the `message` of a line.
"""

import argparse
import io
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipelines.recording.listener import Listener
from pipelines.recording.record import Record, Stage
from schemas.locations import without_secrets

FORMATS = ("text", "json")
_LOGGER = "suggestion_telemetry"
_LEVELS = {"error: ": logging.ERROR, "warning: ": logging.WARNING}
_logger = logging.getLogger(_LOGGER)


def add_log_format(add: Any) -> None:
    """Adds the flag by an argparse parser's `add_argument`."""
    add("--log_format", choices=FORMATS, default=FORMATS[0],
        help="json: each line on stderr is a JSON object, with a line at the start, after each stage and at the end; "
        "nothing is printed on stdout. Default: text.")  # fmt: skip


def begin_log(argv: Sequence[str]) -> None:
    """Asks for the flag before all others are read, so that what is wrong with those is told in its form, too."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    add_log_format(parser.add_argument)
    try:
        asked = parser.parse_known_args(list(argv))[0].log_format
    except argparse.ArgumentError:
        return  # all flags are read together later, and then this is refused
    if asked == "json":
        _log_as_json()


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json())
    for other in logging.getLogger().handlers:
        other.setFormatter(handler.formatter)
    _logger.handlers, _logger.propagate = [handler], False
    _logger.setLevel(logging.INFO)
    sys.stderr = _Lines()


class LogLines(Listener):
    """Tells a run in lines of level INFO, a failed end at ERROR; the logger is silent unless the flag was given."""

    def began(self, record: Record) -> None:
        """The first line; names the run in all that follow."""
        _Json.run = record.run
        day = str(record.received_date) if record.received_date else None
        _tell("the run begins", job=record.job, patterns=record.patterns, received_date=day, versions=record.versions)

    def did(self, stage: Stage) -> None:
        """One line."""
        _tell(f"{stage.name} done", stage=stage.name, seconds=stage.seconds, counts=stage.counts)

    def ended(self, record: Record) -> None:
        """The last line of the run; what was wrong is the line after it, as without the flag."""
        _tell(f"the run ended: {record.outcome}", outcome=record.outcome, exit_code=record.exit_code,
              seconds=record.seconds, counts=record.books)  # fmt: skip


def _tell(message: str, **told: Any) -> None:
    _logger.info(message, extra={"told": {name: value for name, value in told.items() if value is not None}})


class _Json(logging.Formatter):
    """A record as one line of JSON."""

    run: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname, "message": without_secrets(record.getMessage()),
        }  # fmt: skip
        if self.run is not None:
            line["run"] = self.run
        return msgspec.json.encode({**line, **getattr(record, "told", {})}).decode()


class _Lines(io.TextIOBase):
    """In the place of stderr: what is printed there becomes a line's message."""

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        """Takes text; a line is told once it is whole."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, lines):
            begin = next((b for b in _LEVELS if line.startswith(b)), "")
            _logger.log(_LEVELS.get(begin, logging.INFO), "%s", line.removeprefix(begin))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True
