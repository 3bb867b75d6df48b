"""Lists the runs of an output, newest first.

python -m pipelines.runs --output datasets/
"""

from collections.abc import Iterable, Sequence

import msgspec

from pipelines.options.flags import job_parser, whole_number
from pipelines.recording.liveness import outcome_now
from pipelines.recording.record import Record, records
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.output.layout import OUTPUT_FILE, Output

_HEAD = ("started (UTC)", "seconds", "job", "received_date", "outcome", "exit", "files", "events", "landed", "host")
_RIGHT = {"seconds", "exit", "files", "events", "landed"}


def main(argv: Sequence[str]) -> None:
    """The command; raises InvalidOptions where there is no output."""
    parser = job_parser(
        "runs",
        "List the runs of an output, newest first, those that failed too. A run that was killed is shown as "
        "interrupted; unknown is one of another host that was not seen to end.",
    )
    parser.add_argument("--output", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    parser.add_argument("--last", type=whole_number(1, 10**6), default=20, metavar="N",
                        help="How many. Default: 20.")  # fmt: skip
    parser.add_argument("--format", choices=("text", "json"), default="text",
                        help="json: the records themselves, one a line. Default: text.")  # fmt: skip
    args = parser.parse_args(list(argv))
    found = list(records(args.output, args.last))
    if not found and not storage.exists(args.output.beside(OUTPUT_FILE)):
        raise InvalidOptions(f"--output {args.output}: no output there")
    for record in found:
        record.outcome = outcome_now(record, args.output)
    for line in map(_line, found) if args.format == "json" else _table(found):
        print(line)


def _line(record: Record) -> str:
    return msgspec.json.encode(record).decode()


def _table(found: Iterable[Record]) -> list[str]:
    """Lines of a table, and below the row of a run that failed what was wrong."""
    cells = [_cells(record) for record in found]
    widths = [max(map(len, column)) for column in zip(_HEAD, *cells, strict=True)]
    lines = [_aligned(_HEAD, widths)]
    for record, row in zip(found, cells, strict=True):
        lines.append(_aligned(row, widths))
        lines += [f"    {record.error}"] if record.error else []
    return lines


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if name in _RIGHT else cell.ljust(width)
        for name, cell, width in zip(_HEAD, row, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _cells(record: Record) -> list[str]:
    books = record.books or {}
    told = (
        f"{record.started_at:%Y-%m-%d %H:%M:%S}", None if record.seconds is None else f"{record.seconds:.1f}",
        record.job, record.received_date, record.outcome, record.exit_code, record.input and record.input.files,
        books.get("events"), books.get("landed"), record.host,
    )  # fmt: skip
    return ["" if value is None else str(value) for value in told]


if __name__ == "__main__":
    run_job(main)
