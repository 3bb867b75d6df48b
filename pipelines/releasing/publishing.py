"""Publishes days once: a closed day that was not published yet is drawn and written; any other stays as it is."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from typing import NamedTuple

import pyarrow as pa

from pipelines.rates.facts import gather_facts
from pipelines.rates.tables import opened
from pipelines.releasing.bounds import STREAMS
from pipelines.releasing.publications import (
    Publications,
    Published,
    digest,
    file_of,
    is_closed,
    noisily,
    read_publications,
    told_by_file,
)
from pipelines.releasing.release import DELTA, Terms, release
from schemas.registry import ACCEPTANCE, load
from transforms.core.output.layout import Output
from transforms.core.output.parquet import parquet_bytes


class Standing(Enum):
    """How a day stands before it is published; the texts say why it stays as it is."""

    NEW = ""
    PUBLISHED = "is published"
    OPEN = "is not closed yet: rows may still land in it"
    CHANGED = "what its figures are made of has changed since they were published; they stay as they are"
    NOISED = "it was published with noise, which exact figures would undo"
    EXACT = "its exact figures were published; they stay as they are"
    UNSIGNED = "a job has not signed the files of it yet that it wrote: run this again when it has"
    GONE = "it was published, and its file is gone"

    @property
    def is_revisable(self) -> bool:
        """Whether --revise publishes the day all the same."""
        return self is not Standing.OPEN


class Closing(NamedTuple):
    """What time it is, and how long after its end a day is closed."""

    now: datetime
    after: timedelta


def standings(
    output: Output, days: Sequence[date], made_of: Sequence[str], closing: Closing
) -> tuple[dict[date, Standing], Publications]:
    """How each day stands, and the record, made whole where a killed run left a file unrecorded."""
    record = read_publications(output)
    with opened(output, _reach(days)) as connection:
        found = {day: _standing(output, day, digest(connection, made_of, day), record, closing) for day in days}
    return found, record


def noised_days(output: Output, days: Sequence[date]) -> list[date]:
    """Those of the days that were published with noise, and not exactly since then."""
    record = read_publications(output)
    told = {day: told_by_file(output, day) for day in days}
    return [day for day, facts in told.items() if facts or (facts is None and day in record.days)]


def _reach(days: Sequence[date]) -> list[date]:
    return sorted({day - timedelta(days=n) for day in days for n in (0, 1)})


def _standing(output: Output, day: date, made_of: str, record: Publications, closing: Closing) -> Standing:
    told, known = told_by_file(output, day), record.days.get(day)
    if told and (known is None or known.publications < told["publication"]):
        known = Published(told["publication"], told["epsilon_spent"], told["delta_spent"], made_of)
        record.days[day] = known
    if told == {}:
        return Standing.EXACT
    if known is None:
        return Standing.NEW if is_closed(day, closing.now, closing.after) else Standing.OPEN
    if told is None:
        return Standing.GONE
    return Standing.PUBLISHED if known.made_of == made_of else Standing.CHANGED


def publish(
    output: Output, days: Sequence[date], made_of: Sequence[str], terms: Terms, record: Publications
) -> Iterator[tuple[date, pa.Table]]:
    """Draws and writes the figures of these days, one after the other, and what that spends; call it under the claim.

    The file goes first, so that a killed run never draws a day anew of which somebody may have seen the figures.
    """
    if not days:
        return
    with opened(output, _reach(days)) as connection:
        gather_facts(connection)
        for day in days:
            rows = release(connection, day, terms)
            spent = _spent(record.days.get(day), terms, digest(connection, made_of, day))
            output.write(file_of(output, day), _file(rows, terms, spent))
            record.days[day] = spent
            record.save(output)
            yield day, rows


def _spent(before: Published | None, terms: Terms, made_of: str) -> Published:
    known = before or Published(0, 0.0, 0.0, "")
    return Published(known.publications + 1, known.epsilon_spent + terms.epsilon, known.delta_spent + DELTA, made_of)


def _file(rows: pa.Table, terms: Terms, spent: Published) -> bytes:
    """Also where there are no rows: that there are none is a figure, too, and is drawn once."""
    schema = load(ACCEPTANCE).arrow
    number = pa.array([spent.publications] * rows.num_rows, pa.int32())
    told = rows.set_column(rows.schema.get_field_index("publication"), "publication", number)
    facts = {
        "of": "one installation, whatever it did on any day",
        "mechanism": "discrete Laplace noise by OpenDP on bounded counts; cells by noised numbers of people",
        "epsilon": terms.epsilon, "delta": DELTA,
        "min_installations": terms.min_installations, "kept": [*terms.kept],
        "points_a_day": {stream.name: stream.points for stream in STREAMS},
    }  # fmt: skip
    return parquet_bytes(ACCEPTANCE, told.select(schema.names).cast(schema), None, noisily(facts, spent))
