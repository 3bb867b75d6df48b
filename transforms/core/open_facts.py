"""What the endless job keeps of suggestions that are not over, from window to window."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.facts import micros
from transforms.core.key_index import KeyIndex

_OWNERS = ("suggestion_id", "request_id", "opportunity_id")


@dataclass
class OpenFacts:
    """Rows that may still become part of a suggestion, and the lives that facts may come late for.

    Complete for facts received at `floor` (microseconds) or later; for an
    earlier one the files have to be read.
    """

    floor: int
    facts: Mapping[str, pa.RecordBatch]
    attached: Mapping[str, pa.RecordBatch]
    lives: KeyIndex = field(default_factory=KeyIndex)


def still_wanted(
    attached: Mapping[str, pa.RecordBatch], facts: Mapping[str, pa.RecordBatch], earliest: int
) -> dict[str, pa.RecordBatch]:
    """Rows that may be attached to a suggestion yet: received lately, or of the same request as an open fact."""
    kept = {}
    for name, rows in attached.items():
        wanted = micros(rows["received_at"]) >= earliest
        for owner in _OWNERS:
            if owner in rows.schema.names:
                ids = pa.concat_arrays([f[owner] for f in facts.values() if owner in f.schema.names]).drop_null()
                wanted |= np.asarray(pc.is_in(rows[owner], value_set=ids)) & np.asarray(rows[owner].is_valid())
        kept[name] = rows.filter(pa.array(wanted))
    return kept
