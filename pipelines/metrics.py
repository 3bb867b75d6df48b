"""Acceptance, persistence and trouble as rates, from the datasets that the batch job wrote.

python -m pipelines.metrics --datasets datasets/
"""

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


def compute_acceptance(output: Output, days: Sequence[date], min_installations: int) -> pa.Table:
    """The rows of `acceptance` for these days, with `received_date`; a day of too few installations has none."""
    reach = {day - timedelta(days=n) for day in days for n in (0, 1)}
    with opened(output, sorted(reach)) as connection:
        gather_facts(connection)
        made = rates(connection, ("received_date",), DIMENSIONS, min_installations)
    return made.filter(pc.is_in(made["received_date"], pa.array(days, pa.date32())))


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


def describe(rows: pa.Table, days: Sequence[date]) -> str:
    """What was made, as a few lines for people."""
    empty = len({*days} - {*rows["received_date"].to_pylist()})
    lines = [f"{rows.num_rows} cells of {len(days) - empty} days"]
    lines += [_describe_kind(kind, rows.filter(pc.equal(rows["kind"], kind))) for kind in KINDS]
    if empty:
        lines.append(f"days without a row, as nothing or too few installations were seen: {empty}")
    return "\n".join(lines)


def _describe_kind(kind: str, rows: pa.Table) -> str:
    """Of what was shown, how much was accepted; of kinds that no event shows, of what was decided on."""
    if not rows.num_rows:
        return f"{kind}: nothing, or of too few installations"
    of = "shown" if kind in AT_THE_CURSOR else "decided"
    whole, accepted = (pc.sum(rows[name]).as_py() for name in (of, "accepted"))
    merged = pc.sum(rows.filter(pc.greater(rows["merged_dimensions"], 0))[of]).as_py() or 0
    share = f" ({accepted / whole:.1%}); in merged cells {merged / whole:.1%} of them" if whole else ""
    return f"{kind}: {whole} {of}, {accepted} accepted{share}"


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
    strange = [day for day in args.date or () if day not in existing]
    if strange:
        raise InvalidOptions(f"--date {strange[0]}: {args.datasets} holds {existing[0]} to {existing[-1]}")
    whole = whole_days(args.datasets, existing)
    if gone := [day for day in args.date or () if day not in whole]:
        raise InvalidOptions(
            f"--date {gone[0]}: rows that its figures are made of are past their retention; the figures that were made "
            "before stay as they are"
        )
    days = args.date or whole
    with claimed(args.datasets, claim_of(ACCEPTANCE)):
        rows = compute_acceptance(args.datasets, days, args.min_installations)
        write_acceptance(args.datasets, days, rows)
    print(describe(rows, days))
    if assignment is not None:
        arms = compare_arms(args.datasets, days, assignment, args.min_installations)
        print("\n".join(describe_arms(arms)))
        if args.arms_to:
            storage.write_atomic(args.arms_to, json.dumps(as_document(arms), indent=1).encode())


if __name__ == "__main__":
    run_job(main)
