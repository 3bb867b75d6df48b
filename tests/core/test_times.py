"""Times: every text that is a time is the right one, at the borders of the calendar too; days and dates are inverses."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.times import (
    TIMESTAMP,
    UNKNOWN_DATE,
    counts_by_day,
    date_of,
    days_of,
    micros_of,
    parse_times,
    plausible_receive_times,
    salvage_receive_time,
)

MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def parsed(*texts: str | None) -> list[datetime | None]:
    return parse_times(pa.array(texts, pa.string())).to_pylist()


@given(MOMENTS, ZONES)
def test_a_moment_is_the_same_in_every_zone_and_spelling(moment: datetime, zone: timezone) -> None:
    texts = [moment.isoformat(), moment.isoformat(" "), moment.isoformat().replace("+00:00", "Z")]
    texts += [moment.astimezone(zone).isoformat(), moment.replace(tzinfo=None).isoformat()]
    assert parsed(*texts) == [moment] * len(texts)
    assert [parsed(text) for text in texts] == [[moment]] * len(texts), "alone as in company"


@given(st.lists(st.none() | st.text(max_size=30) | MOMENTS.map(datetime.isoformat), max_size=6))
def test_a_value_is_read_alike_in_any_company(texts: list[str | None]) -> None:
    """Arrow casts a whole column or refuses it: one bad value must not change what the others mean."""
    alone = [parsed(text)[0] for text in texts]
    assert parsed(*texts) == alone
    assert parsed(*texts, "no time") == [*alone, None]


@pytest.mark.parametrize(
    "text",
    ["", " ", "now", "1774779332", "2026-02-30T00:00:00Z", "2026-13-01", "2026-01-01T25:00:00Z", "0000-01-01", "10000-01-01",
     "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00+25:00", "\u0662\u0660\u0662\u0666-01-01"],
)  # fmt: skip
def test_what_is_no_time_is_null(text: str) -> None:
    assert parsed(text, "no time") == [None, None]
    assert parsed(text) == [None]


@pytest.mark.parametrize(
    ("text", "is_plausible"),
    [
        ("1999-12-31T23:59:59.999999Z", False),
        ("2000-01-01T00:00:00Z", True),
        ("2099-12-31T23:59:59.999999Z", True),
        ("2100-01-01T00:00:00Z", False),
        ("2000-01-01T00:00:00+00:01", False),
        ("1999-12-31T23:59:00-00:01", True),
        ("1969-12-31T23:59:59.999999Z", False),
        ("1970-01-01T00:00:00Z", False),
        ("9999-12-31T23:59:59Z", False),
        (None, False),
    ],
)
def test_receive_times_are_of_this_century(text: str | None, is_plausible: bool) -> None:
    (found,) = plausible_receive_times(pa.array([text], pa.string())).to_pylist()
    assert found == (parsed(text)[0] if is_plausible else None)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC)))
def test_days_and_dates_and_microseconds_agree_with_the_calendar(moment: datetime) -> None:
    (day,) = days_of(pa.array([moment], TIMESTAMP))
    assert date_of(day) == moment.date()
    assert micros_of(moment) == pa.scalar(moment, TIMESTAMP).value
    assert day == micros_of(moment) // 86_400_000_000


def test_no_time_has_the_unknown_date() -> None:
    (day,) = days_of(pa.array([None], TIMESTAMP))
    assert date_of(day) == UNKNOWN_DATE == date(1970, 1, 1)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"collector": {"received_at": "2026-03-29T10:15:33Z", "x', datetime(2026, 3, 29, 10, 15, 33, tzinfo=UTC)),
        (b'\x00\xff"received_at"\t:\n"2026-03-29T10:15:33.5+02:00"', datetime(2026, 3, 29, 8, 15, 33, 500000, tzinfo=UTC)),
        (b'"received_at": "1970-01-01T00:00:00Z"', None),
        (b'"received_at": "2026-99-99T00:00:00Z"', None),
        (b'"received_at": "2026-03-29T10:15:33', None),
        (b'"received_at": 1774779332', None),
        (b'"received_at": "' + b"1" * 10_000 + b'"', None),
        (b"", None),
    ],
)  # fmt: skip
def test_a_receive_time_is_salvaged_from_damage(payload: bytes, expected: datetime | None) -> None:
    assert salvage_receive_time(payload) == expected


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_salvaging_never_fails(before: bytes, after: bytes) -> None:
    assert salvage_receive_time(before) is None
    found = salvage_receive_time(before + b'"received_at":"2026-03-29T10:15:33Z"' + after)
    assert found is None or found.year in range(2000, 2100)


@given(
    st.lists(st.sampled_from(["2026-03-29T10:00:00Z", "2026-03-30T00:30:00+01:00", "2026-03-30T01:00:00Z", "no", None]))
)
def test_receive_times_are_counted_on_their_days_and_others_on_the_first(stamps: list[str | None]) -> None:
    days = {"no": 0, None: 0, "2026-03-30T01:00:00Z": 20542}
    assert dict(counts_by_day(stamps)) == Counter(days.get(stamp, 20541) for stamp in stamps)
