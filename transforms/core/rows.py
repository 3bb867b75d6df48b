"""Events of one dataset gathered from a block, and their columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.registry import LEVELS, PERMITTED, Schema
from transforms.core.blocks import RawRequest
from transforms.core.columns import WireArrays
from transforms.core.envelopes import event_digest
from transforms.core.protect import CLIENT_IP, LEVEL, SNIPPET_CONSENT
from transforms.core.wire import Collector, Envelope

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


def consent_columns(stamps: Sequence[Collector]) -> dict[str, pa.Array]:
    """Level, snippet consent and address of each stamp, under their names in `protect`."""
    ranks = [PERMITTED.get(s.telemetry_level or "", 0) for s in stamps]
    code = [bool(s.snippet_consent) and r == _USAGE_RANK for s, r in zip(stamps, ranks, strict=True)]
    return {
        LEVEL: pa.array(ranks, pa.int8()),
        SNIPPET_CONSENT: pa.array(code, pa.bool_()),
        CLIENT_IP: pa.array([s.client_ip for s in stamps], pa.string()),
    }


def event_ids(ids: pa.Array, lines: Sequence[bytes]) -> pa.Array:
    """The clients' event ids, a digest of the event where there is none."""
    if not ids.null_count:
        return ids
    given = ids.to_pylist()
    return pa.array([g or event_digest(line) for g, line in zip(given, lines, strict=True)], pa.string())


def lacks_required(schema: Schema, columns: dict[str, pa.Array]) -> np.ndarray:
    """Which rows have no value where the schema requires one."""
    lacking = np.zeros(len(columns["event_id"]), dtype=bool)
    for f in schema.fields:
        if f.required and f.name in columns and columns[f.name].null_count:
            lacking |= np.asarray(pc.is_null(columns[f.name]))
    return lacking
