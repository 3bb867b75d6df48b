"""Events of one dataset gathered from a block, and their columns."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import LEVELS, PERMITTED, Schema
from transforms.core.carried import CLIENT_IP, LEVEL, SNIPPET_CONSENT
from transforms.core.decoding.columns import STAMP, WireArrays, raw_columns
from transforms.core.decoding.derived import derive
from transforms.core.decoding.envelopes import event_digest
from transforms.core.decoding.expected import WrongValues
from transforms.core.decoding.wire import Envelope
from transforms.core.times import plausible_receive_times

_SETTLE_ROWS = 256  # they stay in the processor's cache; with 4096 decoding alone took 1.4 times as long
_USAGE_RANK = LEVELS.index("usage")


class Rows:
    """Events bound for one dataset, and each one's contract name and number: its place among the block's events."""

    def __init__(self, dataset: str, unread: Iterable[str] = ()) -> None:
        self.arrays = WireArrays(dataset, unread)
        self.numbers: list[int] = []
        self.names: list[str] = []
        self._waiting: list[Envelope] = []

    def add(self, event: Envelope, number: int, name: str) -> None:
        """Adds an event, which has its stamp by now."""
        if len(self._waiting) == _SETTLE_ROWS:
            self.settle()
        self._waiting.append(event)
        self.numbers.append(number)
        self.names.append(name)

    def settle(self) -> None:
        """Turns the events that wait into columns."""
        if self._waiting:
            self.arrays.absorb(self._waiting)
            self._waiting = []


def decoded_columns(
    schema: Schema, rows: Rows, lines: Sequence[bytes], *, is_primary: bool
) -> tuple[dict[str, pa.Array], WrongValues]:
    """The columns of settled rows by name, still unprotected, and which rows hold a value that does not fit.

    `lines` are those of all the block's events.
    """
    count = len(rows.numbers)
    columns, wrong = raw_columns(schema, rows.arrays, count)
    columns |= stamp_columns(rows.arrays)
    columns["event_name"] = pa.array(rows.names, pa.string())
    columns["event_id"] = event_ids(columns["event_id"], lines, rows.numbers)
    columns |= derive(schema, columns)
    columns["is_primary"] = pa.repeat(pa.scalar(is_primary), count)
    return columns, wrong


def stamp_columns(arrays: WireArrays) -> dict[str, pa.Array]:
    """The receive time of each stamp, and its level, snippet consent and address under their names in `carried`."""
    places = pc.index_in(arrays.get(STAMP, "telemetry_level"), pa.array(PERMITTED))
    ranks = pa.array(PERMITTED.values(), pa.int8()).take(places).fill_null(0)
    consents = arrays.get(STAMP, "snippet_consent")
    return {
        "received_at": plausible_receive_times(arrays.get(STAMP, "received_at")),
        LEVEL: ranks,
        SNIPPET_CONSENT: pc.and_(consents.fill_null(False), pc.equal(ranks, _USAGE_RANK)),
        CLIENT_IP: arrays.get(STAMP, "client_ip"),
    }


def event_ids(ids: pa.Array, lines: Sequence[bytes], numbers: Sequence[int]) -> pa.Array:
    """The clients' event ids; where there is none, a digest of the event, whose line has that number."""
    if not ids.null_count:
        return ids
    without = ids.is_null()
    digests = [event_digest(lines[numbers[row]]) for row in np.flatnonzero(without).tolist()]
    return pc.replace_with_mask(ids, without, pa.array(digests, pa.string()))


def mark_lacking(wrong: WrongValues, schema: Schema, columns: dict[str, pa.Array]) -> None:
    """Marks the rows that have no value where the schema requires one."""
    for f in schema.fields:
        if f.required and f.name in columns and columns[f.name].null_count:
            wrong.mark(f.name, np.asarray(pc.is_null(columns[f.name])))
