"""Which days of `acceptance` are published, and what that has spent: each day once, unless somebody asks for more.

`_published/acceptance.json` lies beside the datasets and not in one, as the digest of what a day was made of would tell
a reader of `acceptance` alone more than its noised counts do. What a reader must know stands in each file's own
metadata under `privacy`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import duckdb
import msgspec
import pyarrow.parquet as pq

from schemas.registry import ACCEPTANCE
from transforms.core import storage
from transforms.core.output.layout import PUBLISHED_FOLDER, Output
from transforms.core.output.records import read_record
from transforms.core.times import UNKNOWN_DATE

FILE = "acceptance.parquet"
EXACT = "exact figures, for a closed team: two of them, subtracted, may tell what one person did (docs/metrics.md)"
_METADATA = "privacy"
RECORD_PATH = storage.join(PUBLISHED_FOLDER, f"{ACCEPTANCE}.json")
_VERSION = 1


class Published(msgspec.Struct):
    """What a day's publications have spent together, and the digest of what the last one was made of."""

    publications: int
    epsilon_spent: float
    delta_spent: float
    made_of: str


class Publications(msgspec.Struct):
    """Every day that was published with noise."""

    version: int = _VERSION
    days: dict[date, Published] = {}

    def save(self, output: Output) -> None:
        """Writes the record."""
        path = output.beside(RECORD_PATH)
        output.write(path, msgspec.json.encode(msgspec.to_builtins(self, str_keys=True), order="sorted") + b"\n")

    def spent_by_month(self) -> dict[str, float]:
        """What an installation that was there every day has spent by month (`2026-03`)."""
        months = sorted({day.isoformat()[:7] for day in self.days})
        return {m: sum(p.epsilon_spent for day, p in self.days.items() if day.isoformat()[:7] == m) for m in months}


def read_publications(output: Output) -> Publications:
    """The record of an output, and what files tell that a killed run left unrecorded; raises StorageRefused where the
    record is damaged.
    """
    path = output.beside(RECORD_PATH)
    if not storage.exists(path):
        return Publications()
    return read_record(path, Publications, _VERSION)


def file_of(output: Output, day: date) -> str:
    """The path of a day's file."""
    return storage.join(output.partition(ACCEPTANCE, day), FILE)


def told_by_file(output: Output, day: date) -> dict[str, Any] | None:
    """What a day's file says of its privacy: {} where its figures are exact, None where it is not there."""
    path = file_of(output, day)
    if not storage.exists(path):
        return None
    with storage.open_read(path) as file:
        metadata = pq.read_metadata(file).metadata or {}
    told = json.loads(metadata.get(_METADATA.encode(), b"{}"))
    return dict(told) if told.get("epsilon") else {}


def noisily(terms: Mapping[str, Any], spent: Published) -> dict[str, str]:
    """What a file of noised figures says of its privacy, for its metadata."""
    told = {"publication": spent.publications, "epsilon_spent": spent.epsilon_spent, "delta_spent": spent.delta_spent}
    return {_METADATA: json.dumps({**terms, **told})}


def exactly() -> dict[str, str]:
    """The same of exact figures."""
    return {_METADATA: json.dumps({"epsilon": None, "note": EXACT})}


def is_closed(day: date, now: datetime, after: timedelta) -> bool:
    """Whether nothing more is to land in a day: so much time has passed since its end. The unknown day never ends."""
    return day != UNKNOWN_DATE and now >= datetime.combine(day, time(), UTC) + timedelta(days=1) + after


def digest(connection: duckdb.DuckDBPyConnection, datasets: Iterable[str], day: date) -> str:
    """Of which rows of these datasets a day's figures are made, however they lie in files."""
    days: Sequence[date] = (day - timedelta(days=1), day)
    told = []
    for name in datasets:
        key = "suggestion_id" if name == "suggestions" else "event_id"
        query = f"select count(*), bit_xor(md5_number_lower({key})) from {name} where received_date in (?, ?)"
        told.append((name, *connection.execute(query, days).fetchall()[0]))
    return str(connection.execute("select sha256(?)", [repr(told)]).fetchall()[0][0])
