"""What a field must be, in words for people who repair a client; never the value that it had."""

from functools import cache

import numpy as np
import pyarrow as pa

from schemas.fields import Field
from schemas.registry import Schema
from transforms.core.keys.step_keys import QuarantineKeys

_RANGES = {pa.int32(): "from -2147483648 to 2147483647", pa.int64(): f"from {-(2**63)} to {2**63 - 1}"}
_NO_FIELD = -1


@cache
def expected_of(field: Field) -> str:
    """Its type, unit and range, as its schema states them."""
    unit = f", unit {field.unit}" if field.unit else ""
    if field.type in _RANGES:
        return f"whole number {_RANGES[field.type]}{unit}"
    if pa.types.is_floating(field.type):
        return f"number{unit}"
    if pa.types.is_boolean(field.type):
        return "true or false, or 1 or 0"
    if pa.types.is_timestamp(field.type):
        return "seconds since 1970, before the year 10000" if field.unit == "epoch_s" else "a time as ISO 8601"
    return "text that is not empty"


def months_of(ring: QuarantineKeys) -> str:
    """The months in which an event may have been received."""
    if not ring.epochs:
        return "a month of the key ring, which has none"
    gone = f", but {', '.join(sorted(ring.destroyed))}" if ring.destroyed else ""
    return f"a month of the key ring: {min(ring.epochs)} to {max(ring.epochs)}{gone}"


class WrongValues:
    """Which rows of a batch hold a wrong value, and in which field each of them holds its first one."""

    def __init__(self, schema: Schema, rows: int) -> None:
        self._schema = schema
        self._places = {f.name: place for place, f in enumerate(schema.fields)}
        self._first = np.full(rows, _NO_FIELD, dtype=np.int16)

    def mark(self, name: str, rows: np.ndarray) -> None:
        """Marks the rows (a mask) in which the field of that name is wrong; a row keeps its first mark."""
        self._first[rows & (self._first == _NO_FIELD)] = self._places[name]

    @property
    def rows(self) -> np.ndarray:
        """Which rows hold any."""
        return self._first != _NO_FIELD

    def of(self, row: int) -> Field:
        """The field of a row that holds one."""
        return self._schema.fields[self._first[row]]
