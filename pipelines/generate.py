"""Realistic raw data with the exact truth beside it.

    python -m pipelines.generate --output demo/generated --events 20000 --seed 7

Writes `<output>/raw/` (what collectors write: NDJSON plain, gzipped, zstd, and
Avro), `<output>/truth.json` (what a correct job must find in it) and
`<output>/truth_acceptance.jsonl` (the rates that follow, a cell a line, with
the packaged geo database).
"""

import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from pipelines.options.flags import iso_date, job_parser, whole_number
from pipelines.running.command import run_job
from pipelines.synthetic.collectors import Collectors
from pipelines.synthetic.event import Event, new_uuid
from pipelines.synthetic.events import CONTAINERS, Person, opportunity, person
from pipelines.synthetic.truth import Truth
from schemas.errors import InvalidOptions
from transforms.core import storage

_EVENTS_PER_PERSON = 60


def generate(
    output: str,
    events: int,
    seed: int,
    day: date,
    containers: Sequence[str] = CONTAINERS,
    with_code: bool = True,
    with_rubbish: bool = True,
    people: int | None = None,
    days: int = 1,
) -> Truth:
    """Writes at least so many events of some days, the same for the same arguments; returns the truth.

    `day` is the last of them, and each has as many events.
    """
    rng = random.Random(seed)
    truth = Truth()
    collectors = Collectors(storage.join(output, "raw"), rng, truth, with_rubbish)
    crowd = [person(rng, containers) for _ in range(people or max(12, events // _EVENTS_PER_PERSON))]
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=days - 1)
    start_ms, span_ms = int(begin.timestamp() * 1000), days * 86_400_000
    while truth.events < events:
        someone = rng.choice(crowd)
        at_ms = start_ms + min(int(span_ms * truth.events / events), span_ms - 1)
        if not someone.session or rng.random() < 0.05:
            someone.session = f"{new_uuid(rng)}{at_ms}"
        made = [e for e in opportunity(rng, at_ms, someone.has_own_editor) if _is_wanted(e, with_code, with_rubbish)]
        _tell_apart(rng, someone, made)
        while made:
            count = rng.randrange(1, 9)
            collectors.receive(someone, made[:count])
            made = made[count:]
    collectors.close()
    text = json.dumps({"seed": seed, "date": day.isoformat(), **truth.as_json()}, indent=1)
    storage.write_atomic(storage.join(output, "truth.json"), f"{text}\n".encode())
    cells = "".join(f"{json.dumps(cell)}\n" for cell in truth.acceptance())
    storage.write_atomic(storage.join(output, "truth_acceptance.jsonl"), cells.encode())
    return truth


def _tell_apart(rng: random.Random, someone: Person, made: Sequence[Event]) -> None:
    """Gives each event an id, or, of a client that sends none, a number: no two events are alike by chance."""
    for event in made:
        if someone.has_event_ids:
            event.properties["unique_id"] = new_uuid(rng)
        else:
            event.measurements["current_time"] = rng.random() * 1e6


def _is_wanted(event: Event, with_code: bool, with_rubbish: bool) -> bool:
    has_code = event.dataset == "snippets" or "snippets" in event.mirrors
    return (with_code or not has_code) and (with_rubbish or not event.is_invalid)


def main(argv: Sequence[str]) -> None:
    """The command."""
    parser = job_parser("generate", "Make a day of realistic raw data and the exact truth about it.")
    parser.add_argument("--output", required=True, metavar="PATH", help="New folder for raw/ and the truth.")
    parser.add_argument(
        "--events", type=whole_number(1, 10**9), default=20_000, help="At least so many. Default: 20000."
    )
    parser.add_argument(
        "--seed", type=whole_number(0, 2**63), default=1, help="The same seed, the same bytes. Default: 1."
    )
    parser.add_argument(
        "--container", action="append", choices=CONTAINERS, help="Only this container; repeatable. Default: all."
    )
    parser.add_argument(
        "--people",
        type=whole_number(1, 10**8),
        help=f"So many. Default: one for {_EVENTS_PER_PERSON} events, at least 12.",
    )
    parser.add_argument("--without_code", action="store_true", help="No event that holds code.")
    parser.add_argument("--without_rubbish", action="store_true", help="No malformed line and no wrong type.")
    parser.add_argument("--date", type=iso_date, metavar="YYYY-MM-DD", help="The day. Default: yesterday (UTC).")
    parser.add_argument("--days", type=whole_number(1, 3650), default=1, help="So many days up to it. Default: 1.")
    args = parser.parse_args(list(argv))
    if storage.exists(storage.join(args.output, "truth.json")):
        raise InvalidOptions(f"--output {args.output}: there is generated data already")
    truth = generate(
        args.output,
        args.events,
        args.seed,
        args.date or datetime.now(UTC).date() - timedelta(days=1),
        args.container or CONTAINERS,
        with_code=not args.without_code,
        with_rubbish=not args.without_rubbish,
        people=args.people,
        days=args.days,
    )
    print(f"{truth.events} events in {truth.payloads} payloads: {storage.join(args.output, 'raw')}")
    print(f"the truth about them: {storage.join(args.output, 'truth.json')}")


if __name__ == "__main__":
    run_job(main)
