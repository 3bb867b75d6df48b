"""Which rows of quarantine are to go through the job again: by plain columns, so no key is needed to choose."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow.parquet as pq

from schemas.locations import shown_path
from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.decoding.lowered import Consent
from transforms.core.decoding.sealed_part import SealedPart, SealedRow
from transforms.core.output.layout import DataFile, Output
from transforms.core.output.replayed import replayed_ids
from transforms.core.ranges import Range

_COLUMNS = ["payload_id", "reason", "stage", "body_key_id", "payload_bytes"]


@dataclass(frozen=True)
class Wanted:
    """What is asked for: rows of these reasons, days and stages; of all where none is named."""

    reasons: Collection[str] = ()
    days: Collection[date] = ()
    stages: Collection[str] = ()

    def names(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of one of the days is asked for."""
        return all(
            not some or row[column] in some for column, some in (("reason", self.reasons), ("stage", self.stages))
        )


@dataclass
class Chosen:
    """Rows with a body, by file; how many by reason; how many have no body, and how many were replayed before."""

    files: list[tuple[DataFile, list[SealedRow], int]] = field(default_factory=list)
    """With the bytes of the rows' payloads."""
    reasons: Counter[str] = field(default_factory=Counter)
    reason_of: dict[str, str] = field(default_factory=dict)
    without_body: int = 0
    replayed: int = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.reasons.total()

    @property
    def days(self) -> list[date]:
        """Their days, each once, sorted."""
        return sorted({file.day for file, _, _ in self.files})


def choose(output: Output, wanted: Wanted) -> Chosen:
    """Looks through quarantine; raises StorageUnavailable."""
    listing, chosen = output.listing(), Chosen()
    before = replayed_ids(output)
    days = [day for day in listing.days(QUARANTINE) if not wanted.days or day in wanted.days]
    for file in listing.files(QUARANTINE, days=days):
        rows, size_bytes = [], 0
        for number, row in _rows(file):
            if row["payload_id"] in before:
                chosen.replayed += 1
            elif wanted.names(row):
                if row["body_key_id"] is None:
                    chosen.without_body += 1
                    continue
                rows.append(SealedRow(number, row["payload_id"]))
                size_bytes += row["payload_bytes"]
                chosen.reasons[row["reason"]] += 1
                chosen.reason_of[row["payload_id"]] = row["reason"]
        if rows:
            chosen.files.append((file, rows, size_bytes))
    return chosen


def parts_of(output: Output, consents: Mapping[tuple[date, str], Consent | None], digest: str) -> list[SealedPart]:
    """The rows of these days and payloads, by file, as workers get them; each payload of a day once.

    `digest` names the input, so that the books tell its parts from those of another one.
    """
    listing, parts, seen = output.listing(), [], set[tuple[date, str]]()
    for file in listing.files(QUARANTINE, days=sorted({day for day, _ in consents})):
        rows, size_bytes = [], 0
        for number, row in _rows(file):
            key = (file.day, row["payload_id"])
            if key in consents and key not in seen and row["body_key_id"] is not None:
                seen.add(key)
                rows.append(SealedRow(number, row["payload_id"], consents[key]))
                size_bytes += row["payload_bytes"]
        if rows:
            parts.append(part_of(file, rows, size_bytes, digest))
    return parts


def part_of(file: DataFile, rows: Iterable[SealedRow], size_bytes: int, digest: str = "") -> SealedPart:
    """These rows of a file as a part of an input."""
    return SealedPart(Range(shown_path(file.path), 0, None, size_bytes, digest), file.path, tuple(rows))


def _rows(file: DataFile) -> Iterator[tuple[int, dict[str, Any]]]:
    with storage.open_read(file.path) as opened:
        yield from enumerate(pq.ParquetFile(opened).read(columns=_COLUMNS).to_pylist())
