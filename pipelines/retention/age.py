"""How old files are, in whole days of UTC, and whether they are past their retention."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby

from transforms.core import storage
from transforms.core.output.layout import DataFile, Listing
from transforms.core.times import UNKNOWN_DATE


def last_expired_day(as_of: date, kept_days: int) -> date:
    """The last received_date of which every row is at least so many days old when `as_of` begins."""
    return as_of - timedelta(days=kept_days + 1)


def tells_age(day: date, as_of: date) -> bool:
    """Whether a received_date is a day in the past: it may be unknown, or lie in the future by a wrong clock."""
    return UNKNOWN_DATE < day <= as_of


def are_past(files: Sequence[DataFile], through: date, as_of: date) -> bool:
    """Whether all of these are of days up to `through`. Where the day tells no age, that counts on which the storage
    says that the file was written.
    """
    plain = [file.day for file in files if tells_age(file.day, as_of)]
    if any(day > through for day in plain):
        return False
    return all(storage.written_at(file.path).date() <= through for file in files if not tells_age(file.day, as_of))


def odd_and_past(listing: Listing, dataset: str, through: date, as_of: date) -> list[DataFile]:
    """Files past their retention of days that tell no age; of one day and input all or none."""
    days = [day for day in listing.days(dataset) if not tells_age(day, as_of)]
    found: list[DataFile] = []
    for _, group in groupby(listing.files(dataset, days=days), key=lambda file: (file.day, file.name.input)):
        files = list(group)
        found += files if are_past(files, through, as_of) else []
    return found


def latest_days(files: Iterable[DataFile]) -> dict[str, date]:
    """The latest received_date of each stream; batch inputs are none."""
    latest: dict[str, date] = {}
    for file in files:
        stream, dot, _ = file.name.input.partition(".")
        if dot:
            latest[stream] = max(file.day, latest.get(stream, file.day))
    return latest
