"""Times as text -> Arrow timestamps; days -> dates."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TIMESTAMP = pa.timestamp("us", "UTC")
DAY_US = 86_400_000_000
UNKNOWN_DATE = date(1970, 1, 1)
"""The received_date of payloads whose receive time cannot be read."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US, _LAST_US = (
    (d.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) for d in (datetime.min, datetime.max)
)
_EARLIEST_US, _LATEST_US = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp() * 1e6) for y in (2000, 2100))
_SALVAGE = re.compile(rb'"received_at"\s*:\s*"([0-9T:.+\-Z]{10,40})"')


def parse_times(texts: pa.Array) -> pa.Array:
    """ISO 8601 text -> timestamp[us, UTC]; null where the text is null or not a time.

    A time without a zone is UTC. Arrow casts the whole column at once. It refuses
    a column in which one value has another form than clients use; then Python
    parses each value.
    """
    try:
        return within_calendar(texts.cast(TIMESTAMP))
    except pa.ArrowInvalid:
        return pa.array([_micros(t) for t in texts.to_pylist()], pa.int64()).cast(TIMESTAMP)


def within_calendar(times: pa.Array) -> pa.Array:
    """The times with null for those outside the years 1 to 9999.

    Arrow takes 9999-12-31T23:59:59-14:00 for a time of the year 10000, which no reader in Python can show.
    """
    ends = pc.min_max(times.cast(pa.int64()))
    if not ends["min"].is_valid or _FIRST_US <= ends["min"].as_py() <= ends["max"].as_py() <= _LAST_US:
        return times
    times_us = times.cast(pa.int64())
    is_within = pc.and_(pc.greater_equal(times_us, _FIRST_US), pc.less_equal(times_us, _LAST_US))
    return pc.if_else(is_within, times, pa.scalar(None, TIMESTAMP))


def _micros(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return micros_of(moment)


def plausible_receive_times(texts: pa.Array) -> pa.Array:
    """Like `parse_times`, but also null outside the years 2000 to 2099: there was no collector then."""
    times = parse_times(texts)
    times_us = times.cast(pa.int64()).fill_null(-1).to_numpy()
    return pa.array(times_us, TIMESTAMP, mask=(times_us < _EARLIEST_US) | (times_us >= _LATEST_US))


def salvage_receive_time(payload: bytes) -> datetime | None:
    """The receive time of a payload that is not JSON, if something in it looks like one; else None.

    It only chooses the partition of a quarantine row.
    """
    found = _SALVAGE.search(payload)
    if found is None:
        return None
    value = plausible_receive_times(pa.array([found.group(1).decode()]))[0]
    return value.as_py() if value.is_valid else None


def days_of(times: pa.Array) -> np.ndarray:
    """Days since 1970 of each time, in UTC; 0, which is UNKNOWN_DATE, for null."""
    return times.cast(pa.int64()).fill_null(0).to_numpy() // DAY_US


def counts_by_day(stamps: Sequence[str | None]) -> list[tuple[int, int]]:
    """Days since 1970, and how many of the receive times lie in each; those that cannot be read lie in day 0."""
    days = days_of(plausible_receive_times(pa.array(stamps, pa.string())))
    return [(int(day), int(count)) for day, count in zip(*np.unique(days, return_counts=True), strict=True)]


def date_of(days: int) -> date:
    """The date that many days after 1970-01-01."""
    return UNKNOWN_DATE + timedelta(days=int(days))


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
