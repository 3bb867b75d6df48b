"""Protects a batch; where our own code fails on some of its rows, these go aside and the others come out."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa

from schemas.errors import Reason
from transforms.core.batches import EventBatch, Tally
from transforms.core.consent import may_keep_body
from transforms.core.protecting.protect import Protector
from transforms.core.quarantine.rows import Payload, Quarantine, Refusal
from transforms.core.quarantine.unprocessable import Unprocessable, in_parts
from transforms.core.times import days_of


class RowProtector:
    """Protects batches, and puts aside the rows on which that fails. It is made in `setup`, because it holds keys."""

    def __init__(self, protector: Protector, quarantine: Quarantine, unprocessable: Unprocessable) -> None:
        self._protector = protector
        self._quarantine = quarantine
        self._unprocessable = unprocessable

    def protect(self, events: EventBatch) -> Iterator[EventBatch]:
        """Protected batches, counts, quarantine rows.

        One day at a time, so that what was withheld, scrubbed or not known is counted on its day. Raises
        KeyUnavailable; InternalError where more went aside than may, or where a batch comes without its payloads.
        """
        events = _without_failed(events)
        days = days_of(events.batch.column("received_at"))
        for day in np.unique(days):
            rows = np.flatnonzero(days == day)
            together = partial(self._together, events, int(day))
            for batches in in_parts(rows, together, partial(self._alone, events)):
                yield from batches

    def _together(self, events: EventBatch, day: int, rows: np.ndarray) -> list[EventBatch]:
        batch = events.batch if len(rows) == events.batch.num_rows else events.batch.take(pa.array(rows))
        protected = self._protector.protect(events.kind, batch)
        tally = Tally()
        for kind in ("withheld_fields", "scrubbed", "unknown_values"):
            for key, count in getattr(protected, kind).items():
                tally.add(day, kind, key, count)
        counts = tally.batch()
        return [EventBatch(events.kind, protected.batch), *([] if counts is None else [counts])]

    def _alone(self, events: EventBatch, row: np.ndarray, error: Exception) -> list[EventBatch]:
        """A primary row takes its whole event aside, with the rows attached to it; an attached row goes alone."""
        origins = events.origins
        if origins is None:
            raise error
        (place,) = origins.kept[row].tolist()
        line, request = origins.lines[place], origins.requests[place]
        if origins.is_primary:
            origins.failed.add(place)
        self._quarantine.add(
            Payload(line, request),
            Refusal(Reason.UNPROCESSABLE),
            events.batch.column("received_at")[int(row[0])].as_py(),
            keep_body=may_keep_body(line, origins.stamps[place], is_json=True),
            stage="ProtectEvents",
            dataset=events.kind,
            is_primary=origins.is_primary,
        )
        self._unprocessable.add(error)
        found = self._quarantine.drain()
        return [found] if found is not None else []


def _without_failed(events: EventBatch) -> EventBatch:
    origins = events.origins
    if origins is None or origins.is_primary or not origins.failed:
        return events
    here = origins.not_failed()
    return EventBatch(events.kind, events.batch.filter(pa.array(here)), origins.of_rows(here))
