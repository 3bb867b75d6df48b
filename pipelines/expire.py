"""Delete what is past the retention that the contract gives each dataset.

python -m pipelines.expire --datasets datasets/ --dry_run
python -m pipelines.expire --datasets datasets/ --checksum CHECKSUM
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime

from pipelines.options.flags import JobParser, iso_date, job_parser
from pipelines.retention.deleting import finish
from pipelines.retention.plan import Plan, described, plan_of
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from schemas.registry import ACCEPTANCE
from transforms.core import storage
from transforms.core.output.claim import claimed
from transforms.core.output.expired import Expired, read_expired
from transforms.core.output.layout import OUTPUT_FILE, Output, claim_of

_MOST_NAMED = 5


def _day(text: str) -> date:
    found = iso_date(text)
    if found > _today():
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is today in UTC, {_today()}, or an earlier day")
    return found


def _today() -> date:
    return datetime.now(UTC).date()


def _parser() -> JobParser:
    parser = job_parser(
        "expire",
        "Delete every received_date that is older than delete_after_days of its dataset's schema, quarantine, "
        "suggestions and acceptance included; ledger rows last. Nothing is deleted without the checksum that a dry "
        "run has printed. The output must not be written to meanwhile. A run that was cut off is finished with the "
        "same command. docs/retention.md tells all of it.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the jobs.")
    parser.add_argument("--as_of", type=_day, metavar="YYYY-MM-DD",
                        help="Ages are counted to the begin of this day in UTC. It is today or earlier. "
                        "Default: today.")  # fmt: skip
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--dry_run", action="store_true", help="Only print what would be deleted, and its checksum.")
    how.add_argument("--checksum", metavar="CHECKSUM", help="Delete what the dry run that printed it has named.")
    return parser


def expire(output: Output, as_of: date, checksum: str) -> str | None:
    """Deletes what is past its retention on that day; returns the path of the receipt, None where nothing was.

    Raises OutputInUse where a job writes, InvalidOptions where the checksum is that of something else.
    """
    with claimed(output), claimed(output, claim_of(ACCEPTANCE)):
        record = read_expired(output)
        if record.pending is None:
            plan = plan_of(output, record, as_of)
            if plan.checksum != checksum:
                raise InvalidOptions(
                    f"--checksum {checksum}: what is past its retention on {as_of} is {_size(plan)} with another "
                    "checksum; run --dry_run with the same --as_of again and read what it prints"
                )
            if not plan.files and not plan.books:
                plan.expired.save(output)  # an old input brings nothing back all the same
                return None
            record = plan.begun()
            record.save(output)
        elif record.pending.checksum != checksum:
            raise InvalidOptions(
                f"--checksum {checksum}: an expiry was cut off here; finish it first, with --checksum "
                f"{record.pending.checksum}"
            )
        return finish(output, record)


def _size(plan: Plan) -> str:
    return f"{len(plan.files) + len(plan.books):,} files"


def _print_plan(plan: Plan) -> None:
    if plan.files or plan.books:
        print(f"would delete {_size(plan)}, which are past their retention on {plan.as_of}:")
    else:
        print(f"nothing is past its retention on {plan.as_of}")
    for line in described(plan.datasets):
        print(line)
    if plan.books:
        print(f"  ledger rows, lists and days of inputs of which nothing else is left: {len(plan.books):,} files")
    for path in plan.strange[:_MOST_NAMED]:
        print(f"warning: {path} is not a file of this system and stays", file=sys.stderr)
    if len(plan.strange) > _MOST_NAMED:
        print(f"warning: and {len(plan.strange) - _MOST_NAMED} more such files stay", file=sys.stderr)
    _print_way(plan.as_of, plan.checksum)


def _print_pending(record: Expired) -> None:
    assert record.pending is not None
    print("an expiry was cut off before its end; it was to delete:")
    for line in described(record.pending.datasets):
        print(line)
    _print_way(record.pending.as_of, record.pending.checksum)


def _print_way(as_of: date, checksum: str) -> None:
    print(f"nothing was deleted; to delete it run this again with --as_of {as_of} --checksum CHECKSUM")
    print(f"checksum {checksum}")


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = _parser().parse_args(list(argv))
    as_of = args.as_of or _today()
    if not storage.exists(args.datasets.beside(OUTPUT_FILE)):
        raise InvalidOptions(f"--datasets {args.datasets}: no output of the jobs there")
    if args.checksum is not None:
        receipt = expire(args.datasets, as_of, args.checksum)
        print(f"deleted what was past its retention; receipt: {receipt}" if receipt else "nothing was to be deleted")
        return
    record = read_expired(args.datasets)
    if record.pending is not None:
        _print_pending(record)
    else:
        _print_plan(plan_of(args.datasets, record, as_of))


if __name__ == "__main__":
    run_job(main)
