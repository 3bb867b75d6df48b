"""Delete what is past the retention that the contract gives each dataset.

python -m pipelines.expire --datasets datasets/ --dry_run
python -m pipelines.expire --datasets datasets/ --checksum CHECKSUM
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, date, datetime

from pipelines.changing.change import Change, run
from pipelines.changing.flags import add_change_flags, add_signing_flag, check_is_output, keys_of_change
from pipelines.options.flags import JobParser, iso_date, job_parser
from pipelines.retention.deleting import finish, note
from pipelines.retention.plan import Plan, plan_of
from pipelines.running.command import run_job
from transforms.core.keys.step_keys import SigningKeys
from transforms.core.output.expired import read_expired
from transforms.core.output.layout import Output


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
    add_change_flags(parser)
    add_signing_flag(parser)
    parser.add_argument("--as_of", type=_day, metavar="YYYY-MM-DD",
                        help="Ages are counted to the begin of this day in UTC. It is today or earlier. "
                        "Default: today.")  # fmt: skip
    return parser


def change_of(output: Output, as_of: date, keys: SigningKeys | None = None) -> Change[Plan]:
    """The deletion of what is past its retention when that day begins; signed, where the output is."""
    signer = keys.signer if keys else None
    return Change(
        "expire",
        output,
        plan=lambda: plan_of(output, read_expired(output), as_of),
        finish=lambda unfinished: finish(output, unfinished, signer),
        keys=keys,
        otherwise=lambda plan: note(output, plan.expired, signer),
    )


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = _parser().parse_args(list(argv))
    check_is_output(args.datasets)
    as_of = args.as_of or _today()
    if args.checksum is None:
        print(f"ages are counted to --as_of {as_of}")
    done = ("deleted what was past its retention", "nothing was to be deleted")
    keys = keys_of_change(args.datasets, args.key_ring, args.checksum)
    run(change_of(args.datasets, as_of, keys), args.checksum, done)


if __name__ == "__main__":
    run_job(main)
