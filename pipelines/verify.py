"""Recompute the ledger from storage and say whether anything was lost.

python -m pipelines.verify --datasets datasets/
"""

import sys
from collections.abc import Sequence

from pipelines.options.flags import job_parser, share
from pipelines.running.command import run_job
from pipelines.running.summary import describe, unjoined_warning
from schemas.errors import InvalidOptions, UnbalancedBooks
from transforms.core.output.continuity import breaks, lost_messages
from transforms.core.output.expired import read_expired
from transforms.core.output.input_list import unread_of_all
from transforms.core.output.layout import Output
from transforms.core.output.ledger import differences, expired_rows, imbalances, read_marks, strangers, total
from transforms.core.output.schema_file import schema_problems


def main(argv: Sequence[str]) -> None:
    """The command; raises UnbalancedBooks after printing every place that does not balance."""
    parser = job_parser(
        "verify",
        "Recompute the ledger of an output from the files themselves. Prints every place where events or rows "
        "are missing or too many, files have no ledger row, or the columns are not explained, and then exits with 5.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    parser.add_argument("--max_unjoined", type=share, default=share("1%"), metavar="SHARE",
                        help="Warn where more of the displays, outcomes and checks belong to no suggestion. "
                        "Default: 1%%.")  # fmt: skip
    args = parser.parse_args(list(argv))
    marks = read_marks(args.datasets)
    problems = [*imbalances(marks), *differences(args.datasets, marks), *strangers(args.datasets), *breaks(marks)]
    problems += [*unread_of_all(args.datasets, marks), *schema_problems(args.datasets, marks)]
    if not marks and not problems:
        raise InvalidOptions(f"--datasets {args.datasets}: no ledger there")
    for problem in problems:
        print(problem)
    if problems:
        raise UnbalancedBooks(f"{len(problems)} places in {args.datasets} do not balance")
    books = total(marks)
    print(describe(books))
    if warning := unjoined_warning(books, args.max_unjoined):
        print(warning, file=sys.stderr)
    if gone := expired_rows(args.datasets, marks):
        print(f"{gone:,} of the rows are past their retention and not in the files any more")
    if read_expired(args.datasets).pending:
        print("warning: an expiry was cut off; pipelines.expire --dry_run says how to finish it", file=sys.stderr)
    if lost := lost_messages(marks):
        print(f"{lost:,} messages of topics were lost to retention, as was declared with --start earliest_left")


if __name__ == "__main__":
    run_job(main)
