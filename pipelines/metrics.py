"""Acceptance, persistence and trouble as rates, from the datasets that the batch job wrote.

python -m pipelines.metrics --datasets datasets/
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.options.flags import JobParser, add_date, add_min_installations, job_parser
from pipelines.options.wrapping import add_key_ring_flags
from pipelines.rates.acceptance import rates
from pipelines.rates.arms import Arms, as_document, compare
from pipelines.rates.arms import describe as describe_arms
from pipelines.rates.assignments import Assignment, add_arms, assignment_of
from pipelines.rates.facts import DIMENSIONS, gather_facts
from pipelines.rates.tables import existing_days, has_landed, opened
from pipelines.releasing.flags import add_privacy
from pipelines.releasing.publications import EXACT, exactly, file_of
from pipelines.releasing.publishing import Closing, Standing, noised_days, publish, standings
from pipelines.releasing.release import Terms
from pipelines.releasing.signing import days_as_signed, signed
from pipelines.releasing.telling import check_asked, describe, describe_left
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from schemas.registry import ACCEPTANCE, SUGGESTIONS, load
from transforms.core import storage
from transforms.core.output.claim import claimed
from transforms.core.output.expired import read_expired
from transforms.core.output.layout import Output, claim_of
from transforms.core.output.parquet import parquet_bytes
from transforms.core.output.schema_file import write_schema_file
from transforms.core.times import UNKNOWN_DATE

MADE_OF = ("requests", "displays", "outcomes", "redactions", "errors", SUGGESTIONS)
"""The datasets of which the figures of a day are made."""

GIVEN_UP = DIMENSIONS[::-1]
"""In which order cells of too few people give up what tells them apart, unless the command is told another."""


def compute_acceptance(
    output: Output, days: Sequence[date], min_installations: int, given_up: Sequence[str] = GIVEN_UP
) -> pa.Table:
    """The rows of `acceptance` for these days, with `received_date`; a day of too few installations has none.

    `given_up` names every dimension, the one that cells of too few people give up first before the others.
    """
    reach = {day - timedelta(days=n) for day in days for n in (0, 1)}
    with opened(output, sorted(reach)) as connection:
        gather_facts(connection)
        made = rates(connection, ("received_date",), given_up[::-1], min_installations)
    of_days = made.filter(pc.is_in(made["received_date"], pa.array(days, pa.date32())))
    return of_days.sort_by([(name, "ascending") for name in ("received_date", "kind", *DIMENSIONS)])


def write_exact(output: Output, days: Sequence[date], rows: pa.Table) -> None:
    """Replaces these days' files of `acceptance` by exact figures; a day without rows loses its file."""
    schema = load(ACCEPTANCE).arrow
    for day in days:
        path = file_of(output, day)
        of_day = rows.filter(pc.equal(rows["received_date"], pa.scalar(day)))
        if of_day.num_rows:
            told = [of_day[name] if name in of_day.schema.names else pa.nulls(of_day.num_rows) for name in schema.names]
            output.write(path, parquet_bytes(ACCEPTANCE, pa.table(told, schema.names).cast(schema), None, exactly()))
        else:
            storage.remove(path)


def publish_exact(output: Output, days: Sequence[date], args: argparse.Namespace) -> str:
    """Writes exact figures, for a closed team; days that were published with noise stay unless they are revised."""
    noised = [] if args.revise else noised_days(output, days)
    check_asked(args.date, dict.fromkeys(noised, Standing.NOISED))
    exact = [day for day in days if day not in noised]
    rows = compute_acceptance(output, exact, args.min_installations, args.give_up)
    write_exact(output, exact, rows)
    return "\n".join([describe(rows, exact, args.give_up), *describe_left({Standing.NOISED: noised}), EXACT])


def publish_noised(output: Output, days: Sequence[date], args: argparse.Namespace) -> str:
    """Publishes those of the days that are closed and were not yet; `--revise` those that were, too."""
    terms = Terms(args.privacy_epsilon, args.min_installations, args.give_up[::-1])
    known = days if args.date else [day for day in days if day != UNKNOWN_DATE]
    found, record = standings(output, known, MADE_OF, Closing(datetime.now(UTC), args.closed_after))
    drawn = [d for d, standing in found.items() if standing is Standing.NEW or (args.revise and standing.is_revisable)]
    left = {standing: [d for d, s in found.items() if s is standing and d not in drawn] for standing in Standing}
    check_asked(args.date, {day: standing for standing, those in left.items() for day in those})
    made = [rows for _, rows in publish(output, drawn, MADE_OF, terms, record)]
    lines = [describe(pa.concat_tables(made), drawn, args.give_up)] if made else ["nothing new to publish"]
    spent = ", ".join(f"{month}: {epsilon:g}" for month, epsilon in record.spent_by_month().items())
    return "\n".join([*lines, *describe_left(left), f"epsilon of an installation that was there every day: {spent}"])


def whole_days(output: Output, days: Sequence[date]) -> list[date]:
    """Those of the days of which nothing has expired that their figures are made of; the day before is of it, too."""
    expired = read_expired(output)
    return [day for day in days if not expired.takes_from(MADE_OF, day - timedelta(days=1))]


def compare_arms(output: Output, days: Sequence[date], assignment: Assignment, min_installations: int) -> Arms:
    """The arms of an experiment over these days; raises InvalidOptions where the days hold nobody of any arm."""
    with opened(output, days) as connection:
        gather_facts(connection)
        return compare(connection, assignment, min_installations)


def _order(text: str) -> tuple[str, ...]:
    """The dimensions named first, in this order, the others after them in the usual one."""
    named = [name.strip() for name in text.split(",")]
    if len({*named}) < len(named) or not {*named} <= {*GIVEN_UP}:
        allowed = ", ".join(GIVEN_UP)
        raise argparse.ArgumentTypeError(f"{text!r}: allowed are {allowed}, each once, with commas between")
    return (*named, *(name for name in GIVEN_UP if name not in named))


def _days(output: Output, existing: Sequence[date], asked: Sequence[date] | None) -> Sequence[date]:
    """The days asked for, else all of which no row has expired; raises InvalidOptions where one of them is neither."""
    strange = [day for day in asked or () if day not in existing]
    if strange:
        raise InvalidOptions(f"--date {strange[0]}: {output} holds {existing[0]} to {existing[-1]}")
    whole = whole_days(output, existing)
    if gone := [day for day in asked or () if day not in whole]:
        raise InvalidOptions(
            f"--date {gone[0]}: rows that its figures are made of are past their retention; the figures that were made "
            "before stay as they are"
        )
    return asked or whole


def _parser() -> JobParser:
    parser = job_parser(
        "metrics",
        "Write the dataset acceptance: counts and rates by received_date, kind of suggestion, language, extension "
        "version, engine and country. Run it after the batch job, every day: each day is published once, when it is "
        "closed, with noise that keeps any one installation unknown. Definitions and errors: docs/metrics.md.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    add_date(parser)
    add_min_installations(parser)
    parser.add_argument("--give_up", type=_order, default=GIVEN_UP, metavar="NAMES",
                        help="What cells of too few installations give up first, and then, with commas between; what "
                        f"is not named follows in the usual order. Default: {','.join(GIVEN_UP)}.")  # fmt: skip
    add_privacy(parser)
    add_key_ring_flags(parser.add_argument, "The key ring of the output: signs what is written, where the output is "
                       "signed. Without it, acceptance is not signed.")  # fmt: skip
    add_arms(parser)
    parser.add_argument("--arms_to", metavar="FILE", help="Write the comparison of arms to this file, too, as JSON.")
    return parser


def main(argv: Sequence[str]) -> None:
    """The command."""
    args = _parser().parse_args(list(argv))
    assignment = assignment_of(args.arms, args.arm_shares, args.arm_ids_by)
    if args.arms_to and assignment is None:
        raise InvalidOptions("--arms_to goes with --arms")
    if args.revise and not args.date:
        raise InvalidOptions("--revise goes with --date: what was published stays unless you name the day")
    existing = existing_days(args.datasets)
    if not has_landed(args.datasets):
        print(f"nothing has landed in {args.datasets}: nothing to do")
        return
    days = _days(args.datasets, existing, args.date)
    with claimed(args.datasets, claim_of(ACCEPTANCE)):
        days, waiting = days_as_signed(args.datasets, args.key_ring, days, MADE_OF)
        check_asked(args.date, dict.fromkeys(waiting, Standing.UNSIGNED))
        for line in describe_left({Standing.UNSIGNED: waiting}):
            print(line)
        with signed(args.datasets, args.key_ring, days):
            write_schema_file(args.datasets)
            told = (publish_exact if args.privacy_epsilon is None else publish_noised)(args.datasets, days, args)
    print(told)
    if assignment is not None:
        arms = compare_arms(args.datasets, days, assignment, args.min_installations)
        print("\n".join(describe_arms(arms)))
        if args.arms_to:
            storage.write_atomic(args.arms_to, json.dumps(as_document(arms), indent=1).encode())


if __name__ == "__main__":
    run_job(main)
