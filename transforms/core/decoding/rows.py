"""Events of one dataset gathered from a block, and their columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from schemas.registry import LEVELS, PERMITTED, Schema
from transforms.core.blocks import RawRequest
from transforms.core.carried import CLIENT_IP, LEVEL, SNIPPET_CONSENT
from transforms.core.consent import Collector
from transforms.core.decoding.columns import WireArrays, raw_columns
from transforms.core.decoding.derived import derive
from transforms.core.decoding.envelopes import event_digest
from transforms.core.decoding.expected import WrongValues
from transforms.core.decoding.wire import Envelope
from transforms.core.times import plausible_receive_times

_SETTLE_ROWS = 256  # they stay in the processor's cache; with 4096 decoding alone took 1.4 times as long
_USAGE_RANK = LEVELS.index("usage")


class Rows:
    """Events bound for one dataset, and what goes with each, as parallel lists."""

    def __init__(self, dataset: str) -> None:
        self.arrays = WireArrays(dataset)
        self.numbers: list[int] = []  # of the event in its block, to tell what is attached to it
        self.lines: list[bytes] = []
        self.requests: list[RawRequest | None] = []
        self.names: list[str] = []
        self.stamps: list[Collector] = []
        self._waiting: list[Envelope] = []

    def add(self, event: Envelope, number: int, line: bytes, request: RawRequest | None, name: str) -> None:
        """Adds an event under its contract name; `number` tells the events of a block apart."""
        if len(self._waiting) == _SETTLE_ROWS:
            self.settle()
        self._waiting.append(event)
        self.numbers.append(number)
        self.lines.append(line)
        self.requests.append(request)
        self.names.append(name)
        self.stamps.append(event.collector or Collector())

    def settle(self) -> None:
        """Turns the events that wait into columns."""
        if self._waiting:
            self.arrays.absorb(self._waiting)
            self._waiting = []


def decoded_columns(schema: Schema, rows: Rows, *, is_primary: bool) -> tuple[dict[str, pa.Array], WrongValues]:
    """The columns of settled rows by name, still unprotected, and which rows hold a value that does not fit."""
    count = len(rows.numbers)
    columns, wrong = raw_columns(schema, rows.arrays, count)
    columns |= stamp_columns(rows.stamps)
    columns["event_name"] = pa.array(rows.names, pa.string())
    columns["event_id"] = event_ids(columns["event_id"], rows.lines)
    columns |= derive(schema, columns)
    columns["is_primary"] = pa.repeat(pa.scalar(is_primary), count)
    return columns, wrong


def stamp_columns(stamps: Sequence[Collector]) -> dict[str, pa.Array]:
    """The receive time of each stamp, and its level, snippet consent and address under their names in `carried`."""
    received, addresses, levels, consents = zip(*map(astuple, stamps), strict=True)
    places = pc.index_in(pa.array(levels, pa.string()), pa.array(PERMITTED))
    ranks = pa.array(PERMITTED.values(), pa.int8()).take(places).fill_null(0)
    may_keep_code = pc.and_(pa.array(consents, pa.bool_()).fill_null(False), pc.equal(ranks, _USAGE_RANK))
    return {
        "received_at": plausible_receive_times(pa.array(received, pa.string())),
        LEVEL: ranks,
        SNIPPET_CONSENT: may_keep_code,
        CLIENT_IP: pa.array(addresses, pa.string()),
    }


def event_ids(ids: pa.Array, lines: Sequence[bytes]) -> pa.Array:
    """The clients' event ids; where there is none, a digest of the event."""
    if not ids.null_count:
        return ids
    without = ids.is_null()
    digests = [event_digest(lines[row]) for row in np.flatnonzero(without).tolist()]
    return pc.replace_with_mask(ids, without, pa.array(digests, pa.string()))


def mark_lacking(wrong: WrongValues, schema: Schema, columns: dict[str, pa.Array]) -> None:
    """Marks the rows that have no value where the schema requires one."""
    for f in schema.fields:
        if f.required and f.name in columns and columns[f.name].null_count:
            wrong.mark(f.name, np.asarray(pc.is_null(columns[f.name])))
