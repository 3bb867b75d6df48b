"""Check the audit trail and list who has read code, quarantine or a person's rows, and what for.

python -m pipelines.audit --datasets datasets/
"""

import argparse
import re
from collections.abc import Iterable, Sequence

import msgspec

from pipelines.options.audit_flags import add_audit_log, trail_of
from pipelines.options.flags import JobParser, job_parser
from pipelines.running.command import run_job
from schemas.errors import UnbalancedBooks
from transforms.core.audit.chain import check
from transforms.core.audit.reading import Line
from transforms.core.audit.trail import NO_LINE, Head
from transforms.core.output.layout import Output

_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


def _head(text: str) -> Head:
    if (found := _HEAD.fullmatch(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is a head as this command prints it, NUMBER:DIGEST")
    return Head(int(found[1]), found[2])


def _parser() -> JobParser:
    parser = job_parser(
        "audit",
        "Check the audit trail and list the readings in it. A line that was altered, removed or put elsewhere is "
        "named, and the exit code is 5. The head that is printed last, noted elsewhere and given back later, finds "
        "lines that were taken off the end, and a trail that was written anew. docs/audit.md tells all of it.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the jobs.")
    add_audit_log(parser)
    parser.add_argument("--head", type=_head, default=NO_LINE, metavar="NUMBER:DIGEST",
                        help="A head that was noted before: the trail must go on from it.")  # fmt: skip
    parser.add_argument("--format", choices=("text", "json"), default="text",
                        help="json: one object a line, and no head. Default: text.")  # fmt: skip
    return parser


def _described(line: Line) -> str:
    days = f"{line.days[0]} to {line.days[-1]} ({len(line.days)} days)" if len(line.days) > 1 else ""
    days = days or (str(line.days[0]) if line.days else "no day")
    reader = f"{line.who} as {line.role}, account {line.account} on {line.host}"
    told = f"{line.number}  {line.at:%Y-%m-%d %H:%M:%S} UTC  {reader}: {line.action}, {line.dataset}, {days}, "
    return _shown(f"{told}{line.rows:,} rows: {line.purpose}")


def _shown(text: str) -> str:
    """A line may have been put there by somebody else, with characters that would move the cursor of a screen."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _printed(lines: Iterable[Line], form: str) -> Iterable[str]:
    return (msgspec.json.encode(line).decode() if form == "json" else _described(line) for line in lines)


def main(argv: Sequence[str]) -> None:
    """The command; raises UnbalancedBooks after printing everything that is wrong."""
    args = _parser().parse_args(list(argv))
    trail = trail_of(args.datasets, args.audit_log)
    found = check(trail, args.head)
    for text in _printed(found.lines, args.format):
        print(text)
    for problem in found.problems:
        print(problem)
    if found.problems:
        raise UnbalancedBooks(f"{len(found.problems)} places of the audit trail {trail} are not as they were written")
    if args.format == "text":
        print(f"{len(found.lines):,} readings, the chain is whole")
        print(f"head {found.head}" if found.lines else f"no reading is written down in {trail}")


if __name__ == "__main__":
    run_job(main)
