"""People who work over the end of a month, and what somebody with their files finds out of who is who."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.registry import load
from tests.conftest import KEY_RING, landing, plain_columns, sample
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.layout import DATA_DATASETS

BORDER = datetime(2026, 4, 1, tzinfo=UTC)
PEOPLE = 40
LATE = 10
"""So many of them have a fact that comes later than a horizon after the one before it, in the other month."""

_IDS = ("event_id", "suggestion_id", "opportunity_id", "request_id", "superseded_by", "payload_id")
_OF_PERSON = ("installation_id", "session_id", "user_id")


def machine(person: int) -> str:
    return f"{person:064x}"


def _event(name: str, person: int, minute: float, life: str) -> bytes:
    document = sample(name)
    moment = BORDER + timedelta(minutes=minute, seconds=person)
    document["collector"]["received_at"] = document["time"] = moment.isoformat()
    properties = document["data"]["baseData"]["properties"]
    properties |= {"client_machineid": machine(person), "client_sessionid": f"session-of-{person}-{minute > 0}",
                   "copilot_trackingId": f"{person:032x}", "unique_id": f"{name}-{person}-{minute}-{life}"}  # fmt: skip
    ids = {"clientCompletionId": "completion", "opportunityId": "opportunity", "headerRequestId": "request"}
    properties |= {wire: f"{kind}-{person}-{life}" for wire, kind in ids.items() if wire in properties}
    return json.dumps(document).encode()


_LIFE = ("requests/pass/ghostText.issued", "displays/pass/ghostText.shown", "outcomes/pass/ghostText.accepted")


def lines() -> list[bytes]:
    """Each person: lives before the border, one that crosses it, lives after it. All of one day around it."""
    made = []
    for person in range(PEOPLE):
        for number, minutes in enumerate(
            [(-300, -299, -298), (-60, -59, -58), (-3, -2, 2), (10, 11, 12), (90, 91, 95)]
        ):
            made += [_event(n, person, m, str(number)) for n, m in zip(_LIFE, minutes, strict=True)]
        made.append(_event("persistence_checks/pass/ghostText.stillInCode", person, 3, "2"))
        if person < LATE:
            made.append(_event("outcomes/pass/ghostText.accepted", person, 40, "1"))
    return made


def rows_of(output: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Dataset, name of the file, and row, of everything that is plain in the files."""
    for path in sorted(output.glob("*/received_date=*/*.parquet")):
        if path.parts[-3] in DATA_DATASETS:
            for row in pq.ParquetFile(path).read(columns=plain_columns(path)).to_pylist():
                yield path.parts[-3], path.name, row


def in_memory(output: Path, first_month: str) -> dict[str, list[str]]:
    """Rows of all datasets but the ledger, what is plain of them, with ids and slots as they are in memory.

    `first_month` is the first one whose ids are enciphered, empty where all are.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path in output.glob("*/received_date=*/*.parquet"):
        if (dataset := path.parts[-3]) in DATA_DATASETS:
            table = landing(first_month).from_files(dataset, pq.ParquetFile(path).read(columns=plain_columns(path)))
            rows = [{name: row.get(name) for name in load(dataset).arrow.names} for row in table.to_pylist()]
            found[dataset] += [repr({**row, "body": None}) for row in rows]
    return {dataset: sorted(rows) for dataset, rows in found.items()}


def of_person(month: str) -> list[str]:
    """The pseudonym of each person's installation in a month: what the attacker does not know."""
    keys = step_keys_of(keyring.load(KEY_RING)).pseudonyms.pseudonymizer("installation", month)
    texts = pa.array([machine(person) for person in range(PEOPLE)])
    return [made.hex() for made in keys.column(texts).to_pylist()]


def linked(output: Path, read: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, row: row) -> set[int]:
    """The people whose two pseudonyms somebody connects through equal ids of any column, over any number of rows.

    `read` is what they can make of a row of a dataset.
    """
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(of: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(of, of) != of:
            of = parent[of]
        return of

    for dataset, _, row in rows_of(output):
        told = read(dataset, row)
        values = [("person", told[name]) for name in _OF_PERSON if told.get(name)]
        values += [("row", told[name]) for name in _IDS if told.get(name)]
        for value in values[1:]:
            parent[root(value)] = root(values[0])
    months = zip(of_person("2026-03"), of_person("2026-04"), strict=True)
    return {n for n, (march, april) in enumerate(months) if root(("person", march)) == root(("person", april))}


def slots_by_person(output: Path) -> dict[str, list[int]]:
    """The column of slots, as it stands in files, by the pseudonym of the installation."""
    found = defaultdict(list)
    for _, _, row in rows_of(output):
        if row.get("installation_id") and row.get("slot_code") is not None:
            found[row["installation_id"]].append(row["slot_code"])
    return found
