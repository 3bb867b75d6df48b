"""What went aside of one input, put together by what was wrong with it; never a value."""

from collections import Counter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.output.input_days import days_of_input
from transforms.core.output.layout import Output
from transforms.core.output.replayed import replayed_ids

_KIND = ("reason", "dataset", "field", "expected")


class Refused(NamedTuple):
    """Why, of which dataset, which field, and what it must be; the last three where they are known."""

    reason: str
    dataset: str | None
    field: str | None
    expected: str | None


class Refusals(NamedTuple):
    """How often each kind was quarantined, and the months (YYYY-MM) in which each reason's payloads were received."""

    kinds: Counter[Refused]
    months: dict[str, set[str]]


def refusals(output: Output, input_digest: str) -> Refusals:
    """Read from the quarantine rows of one input; what was replayed since is none. Raises StorageUnavailable."""
    kinds, months = Counter[Refused](), dict[str, set[str]]()
    replayed = pa.array(sorted(replayed_ids(output)), pa.string())
    for file in output.listing().files(QUARANTINE, days=days_of_input(output, input_digest), of_input=input_digest):
        rows = _rows(file.path)
        rows = rows.filter(pc.invert(pc.is_in(rows["payload_id"], replayed)))
        for row in rows.group_by(list(_KIND)).aggregate([([], "count_all")]).to_pylist():
            kinds[_kind(row)] += row["count_all"]
        received = pc.strftime(rows["received_at"].drop_null(), "%Y-%m")
        reasons = rows["reason"].filter(pc.is_valid(rows["received_at"]))
        for reason, month in {*zip(reasons.to_pylist(), received.to_pylist(), strict=True)}:
            months.setdefault(reason, set()).add(month)
    return Refusals(kinds, months)


def _kind(row: dict[str, Any]) -> Refused:
    """Places within lines count as one: a thousand lines that are no JSON are one kind of trouble."""
    field = row["field"]
    is_place = field is not None and field.startswith("character ")
    return Refused(row["reason"], row["dataset"], "the text" if is_place else field, row["expected"])


def _rows(path: str) -> pa.Table:
    with storage.open_read(path) as file:
        return pq.ParquetFile(file).read(columns=[*_KIND, "received_at", "payload_id"])
