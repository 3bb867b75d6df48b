"""Put the many files of closed days together into few sorted ones with the same rows.

python -m pipelines.compact --datasets datasets/ --dry_run
python -m pipelines.compact --datasets datasets/ --checksum CHECKSUM
"""

from collections.abc import Sequence
from datetime import date, timedelta

from pipelines.changing.change import Change, run
from pipelines.changing.flags import add_change_flags, add_signing_flag, check_is_output, keys_of_change
from pipelines.compaction.plan import Merge, Plan, plan_of
from pipelines.compaction.swapping import JOB, finish
from pipelines.options.flags import JobParser, duration, iso_date, job_parser, whole_number
from pipelines.running.command import run_job
from transforms.core.keys.step_keys import SigningKeys
from transforms.core.output.layout import Output

_MB = 1_000_000
TARGET_MB = 256
REACH = timedelta(hours=24, minutes=30)
"""Lookback and horizon together, as the jobs have them by default."""


def _parser() -> JobParser:
    parser = job_parser(
        "compact",
        "Put the files of each closed day and dataset together into few sorted ones with the same rows. A day is "
        "closed when it is older than lookback and suggestion horizon behind the latest day of the output. It must be "
        "whole, and its books balanced; else it is left out, and the reason told. Files with encrypted columns stay. "
        "On a local disk a reader sees a day's old files or its new ones. In an object store rows are there twice "
        "while the old files are deleted, some seconds at most, and none is missing at any moment. The output must not "
        "be written to meanwhile. A run that was cut off is finished with the same command. docs/compaction.md tells "
        "all of it.",
    )
    add_change_flags(parser)
    add_signing_flag(parser)
    parser.add_argument("--through", type=iso_date, metavar="YYYY-MM-DD",
                        help="Leave later days alone. Default: the last closed day.")  # fmt: skip
    parser.add_argument("--target_mb", type=whole_number(1, 100_000), default=TARGET_MB, metavar="MB",
                        help="A day of a dataset becomes one file for each so many MB that its files have together. "
                        f"Default: {TARGET_MB}.")  # fmt: skip
    parser.add_argument("--lookback", type=duration, default=duration("24h"), metavar="TIME",
                        help="As the jobs have it. Default: 24h.")  # fmt: skip
    parser.add_argument("--suggestion_horizon", type=duration, default=duration("30min"), metavar="TIME",
                        help="As the jobs have it. Default: 30min.")  # fmt: skip
    return parser


def change_of(
    output: Output,
    keys: SigningKeys | None = None,
    through: date | None = None,
    reach: timedelta = REACH,
    target_bytes: int = TARGET_MB * _MB,
) -> Change[Plan]:
    """The compaction of the closed days up to `through`; `reach` is lookback and horizon together."""
    return Change(
        JOB,
        output,
        plan=lambda: plan_of(output, through, reach, target_bytes),
        finish=lambda unfinished: finish(
            output, keys.signer if keys else None, unfinished.payload_as(list[Merge]), unfinished.checksum
        ),
        keys=keys,
    )


def main(argv: Sequence[str]) -> None:
    """The command; raises KeyUnavailable where the output is signed and the flag for the ring is missing."""
    args = _parser().parse_args(list(argv))
    check_is_output(args.datasets)
    keys = keys_of_change(args.datasets, args.key_ring, args.checksum)
    reach = args.lookback + args.suggestion_horizon
    change = change_of(args.datasets, keys, args.through, reach, args.target_mb * _MB)
    run(change, args.checksum, ("compacted", "nothing was to be compacted"))


if __name__ == "__main__":
    run_job(main)
