"""Acceptance, persistence and trouble as rates, from the datasets that the batch job wrote.

python -m pipelines.metrics --datasets datasets/
"""

import argparse
import json
from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.options.flags import add_date, add_min_installations, job_parser
from pipelines.rates.acceptance import rates
from pipelines.rates.arms import Arms, as_document, compare
from pipelines.rates.arms import describe as describe_arms
from pipelines.rates.assignments import Assignment, add_arms, assignment_of
from pipelines.rates.cells import MERGED
from pipelines.rates.facts import DIMENSIONS, gather_facts
from pipelines.rates.kinds import AT_THE_CURSOR, KINDS
from pipelines.rates.tables import existing_days, has_landed, opened
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from schemas.registry import ACCEPTANCE, SUGGESTIONS, load
from transforms.core import storage
from transforms.core.output.claim import claimed
from transforms.core.output.expired import read_expired
from transforms.core.output.layout import Output, claim_of
from transforms.core.output.parquet import parquet_bytes
from transforms.core.output.schema_file import write_schema_file

FILE = "acceptance.parquet"

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


def write_acceptance(output: Output, days: Sequence[date], rows: pa.Table) -> None:
    """Replaces these days' files of `acceptance`; a day without rows loses its file."""
    schema = load(ACCEPTANCE).arrow
    write_schema_file(output)
    for day in days:
        path = storage.join(output.partition(ACCEPTANCE, day), FILE)
        of_day = rows.filter(pc.equal(rows["received_date"], pa.scalar(day))).select(schema.names).cast(schema)
        if of_day.num_rows:
            output.write(path, parquet_bytes(ACCEPTANCE, of_day, None))
        else:
            storage.remove(path)


def whole_days(output: Output, days: Sequence[date]) -> list[date]:
    """Those of the days of which nothing has expired that their figures are made of; the day before is of it, too."""
    expired = read_expired(output)
    return [day for day in days if not expired.takes_from(MADE_OF, day - timedelta(days=1))]


def compare_arms(output: Output, days: Sequence[date], assignment: Assignment, min_installations: int) -> Arms:
    """The arms of an experiment over these days; raises InvalidOptions where the days hold nobody of any arm."""
    with opened(output, days) as connection:
        gather_facts(connection)
        return compare(connection, assignment, min_installations)


def describe(rows: pa.Table, days: Sequence[date], given_up: Sequence[str] = GIVEN_UP) -> str:
    """What was made, as a few lines for people."""
    empty = len({*days} - {*rows["received_date"].to_pylist()})
    lines = [f"{rows.num_rows} cells of {len(days) - empty} days"]
    lines += [_describe_kind(kind, rows.filter(pc.equal(rows["kind"], kind)), given_up) for kind in KINDS]
    if empty:
        lines.append(f"days without a row, as nothing or too few installations were seen: {empty}")
    return "\n".join(lines)


def _describe_kind(kind: str, rows: pa.Table, given_up: Sequence[str]) -> str:
    """Of what was shown, how much was accepted; of kinds that no event shows, of what was decided on."""
    if not rows.num_rows:
        return f"{kind}: nothing, or of too few installations"
    of = "shown" if kind in AT_THE_CURSOR else "decided"
    whole, accepted = (pc.sum(rows[name]).as_py() for name in (of, "accepted"))
    lost = {name: pc.sum(rows.filter(pc.equal(rows[name], MERGED))[of]).as_py() or 0 for name in given_up}
    told = ", ".join(f"{name}: {_percent(part / whole)}" for name, part in lost.items() if part)
    share = f" ({accepted / whole:.1%})" if whole else ""
    return f"{kind}: {whole} {of}, {accepted} accepted{share}; gave up {told or 'nothing'}"


def _percent(share: float) -> str:
    """Whole percents; what is neither nothing nor everything is not told as one of them."""
    return "<1 %" if share < 0.01 else ">99 %" if 0.99 < share < 1 else f"{share * 100:.0f} %"


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


def main(argv: Sequence[str]) -> None:
    """The command."""
    parser = job_parser(
        "metrics",
        "Write the dataset acceptance: counts and rates by received_date, kind of suggestion, language, extension "
        "version, engine and country. Run it after the batch job; running it again replaces its files. Definitions: "
        "docs/metrics.md.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the batch job.")
    add_date(parser)
    add_min_installations(parser)
    parser.add_argument("--give_up", type=_order, default=GIVEN_UP, metavar="NAMES",
                        help="What cells of too few installations give up first, and then, with commas between; what "
                        f"is not named follows in the usual order. Default: {','.join(GIVEN_UP)}.")  # fmt: skip
    add_arms(parser)
    parser.add_argument("--arms_to", metavar="FILE", help="Write the comparison of arms to this file, too, as JSON.")
    args = parser.parse_args(list(argv))
    assignment = assignment_of(args.arms, args.arm_shares, args.arm_ids_by)
    if args.arms_to and assignment is None:
        raise InvalidOptions("--arms_to goes with --arms")
    existing = existing_days(args.datasets)
    if not has_landed(args.datasets):
        print(f"nothing has landed in {args.datasets}: nothing to do")
        return
    days = _days(args.datasets, existing, args.date)
    with claimed(args.datasets, claim_of(ACCEPTANCE)):
        rows = compute_acceptance(args.datasets, days, args.min_installations, args.give_up)
        write_acceptance(args.datasets, days, rows)
    print(describe(rows, days, args.give_up))
    if assignment is not None:
        arms = compare_arms(args.datasets, days, assignment, args.min_installations)
        print("\n".join(describe_arms(arms)))
        if args.arms_to:
            storage.write_atomic(args.arms_to, json.dumps(as_document(arms), indent=1).encode())


if __name__ == "__main__":
    run_job(main)
