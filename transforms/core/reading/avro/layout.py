"""A writer's Avro schema -> how its records are read as `raw_request`, compared before any record is.

Avro's own readers follow whatever schema a file brings: one that refers to
itself ends the process, an array of nulls of any length costs no byte. Here a
schema is plain data of bounded size and depth, and every step of what is read
takes at least one byte.
"""

from typing import Any, NamedTuple

import msgspec

from schemas.registry import raw_schemas
from transforms.core.reading.avro import values
from transforms.core.reading.avro.values import Read

MAX_SCHEMA_BYTES = 64 * 1024
"""A writer's schema that is longer is refused unread; ours has 1 KB."""

_MAX_DEPTH = 12
_FIELDS = raw_schemas()["raw_request.1"]["fields"]
FIELDS = len(_FIELDS)
"""How many values a record has; they are the first ones of a RawRequest, in the same order."""

_NAME = "raw_request"
_TICKS = {None: 1, "timestamp-micros": 1, "local-timestamp-micros": 1, "timestamp-millis": 1000,
          "local-timestamp-millis": 1000, "timestamp-nanos": -1000, "local-timestamp-nanos": -1000}  # fmt: skip
"""Logical type of a time -> microseconds in one of its units; negative: so many of its units in a microsecond."""

_PRIMITIVES: dict[str, Read] = {
    "boolean": values.read_boolean, "int": values.read_long, "long": values.read_long, "float": values.fixed(4),
    "double": values.fixed(8), "bytes": values.read_bytes, "string": values.read_bytes,
}  # fmt: skip
_TEXT: dict[str, Read] = {"string": values.read_text, "bytes": values.read_text}
_WANTED: dict[str, dict[str, Read]] = {
    "string": _TEXT,
    "bytes": {"string": values.read_bytes, "bytes": values.read_bytes},
    "boolean": {"boolean": values.read_boolean},
    "long": {"long": values.read_long, "int": values.read_long},
}
"""Ours -> the writers' types that Avro resolves to it."""


class ForeignSchema(Exception):
    """A schema that does not resolve to ours, or is more than we follow; never leaves the readers of containers."""


class Step(NamedTuple):
    """One field of the writer's: where its value goes in a RawRequest, None for nowhere, and how it is read."""

    slot: int | None
    read: Read


class _Type(NamedTuple):
    """How a type is skipped; None where it takes no bytes. And how deep it goes."""

    skip: Read | None
    depth: int


def layout(schema_json: bytes) -> list[Step]:
    """The steps that read a record of this schema; raises ForeignSchema."""
    if len(schema_json) > MAX_SCHEMA_BYTES:
        raise ForeignSchema
    try:
        schema = msgspec.json.decode(schema_json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ForeignSchema from None
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise ForeignSchema
    if str(schema.get("name")).rpartition(".")[2] != _NAME:  # Avro compares names without their namespace
        raise ForeignSchema
    return _Compiler().record(schema)


class _Compiler:
    """Goes through one schema; knows the names that it has defined so far, None while it defines them."""

    def __init__(self) -> None:
        self._named: dict[str, _Type | None] = {}

    def record(self, schema: dict[str, Any]) -> list[Step]:
        """The writer's record of requests."""
        self._begin(schema)
        fields = _fields(schema)
        ours = {f["name"]: (slot, f) for slot, f in enumerate(_FIELDS)}
        steps = []
        for name, kind in fields.items():
            if name in ours:
                slot, field = ours[name]
                steps.append(Step(slot, self._wanted(field, kind)))
            elif (skip := self._type(kind, 1).skip) is not None:
                steps.append(Step(None, skip))
        if any("default" not in f and f["name"] not in fields for f in _FIELDS):
            raise ForeignSchema
        return steps

    def _wanted(self, field: dict[str, Any], kind: Any) -> Read:
        branches = kind if isinstance(kind, list) else [kind]
        reads = [self._resolved(field, branch) for branch in branches]
        if not any(reads) or (branches != ["null"] and all(r in (None, values.no_value) for r in reads)):
            raise ForeignSchema
        if not isinstance(kind, list):
            return reads[0] or values.no_value
        known = zip(reads, branches, strict=True)
        return values.union([read or values.invalid(self._type(branch, 1).skip) for read, branch in known])

    def _resolved(self, field: dict[str, Any], kind: Any) -> Read | None:
        """How a value of the writer's type is read as one of our field; None where it is none."""
        logical = None
        for _ in range(_MAX_DEPTH):
            if not isinstance(kind, dict):
                break
            logical = logical or kind.get("logicalType")
            kind = kind.get("type")
        ours = field["type"][1] if isinstance(field["type"], list) else field["type"]
        if kind == "null":
            return values.no_value if "default" in field else None
        if not isinstance(kind, str):
            return None
        if isinstance(ours, dict):
            read = _WANTED[ours["type"]].get(kind)
            return values.timestamp(_TICKS[logical]) if read and logical in _TICKS else None
        return _WANTED[ours].get(kind)

    def _type(self, kind: Any, depth: int) -> _Type:
        if depth > _MAX_DEPTH:
            raise ForeignSchema
        if isinstance(kind, str):
            return self._by_name(kind, depth)
        if isinstance(kind, list):
            members = [self._type(branch, depth + 1) for branch in kind]
            return _Type(values.union([m.skip or values.no_value for m in members]), _deepest(members))
        if not isinstance(kind, dict):
            raise ForeignSchema
        make = {"record": self._record, "array": self._array, "map": self._array, "enum": self._enum,
                "fixed": self._fixed}.get(kind["type"]) if isinstance(kind.get("type"), str) else None  # fmt: skip
        return make(kind, depth) if make else self._type(kind.get("type"), depth + 1)

    def _by_name(self, name: str, depth: int) -> _Type:
        if name == "null":
            return _Type(None, 0)
        if name in _PRIMITIVES:
            return _Type(_PRIMITIVES[name], 0)
        found = self._named.get(name.rpartition(".")[2])
        if found is None or depth + found.depth > _MAX_DEPTH:  # unknown, or refers to itself
            raise ForeignSchema
        return found

    def _record(self, schema: dict[str, Any], depth: int) -> _Type:
        name = self._begin(schema)
        members = [self._type(kind, depth + 1) for kind in _fields(schema).values()]
        skips = [m.skip for m in members if m.skip is not None]
        return self._end(name, _Type(values.sequence(skips) if skips else None, _deepest(members)))

    def _array(self, schema: dict[str, Any], depth: int) -> _Type:
        member = self._type(schema.get("items") if schema["type"] == "array" else schema.get("values"), depth + 1)
        if member.skip is None and schema["type"] == "array":  # items without bytes: as many as one likes
            raise ForeignSchema
        item = member.skip or values.no_value
        if schema["type"] == "map":
            item = values.sequence([values.read_bytes, item])
        return _Type(values.blocks(item), _deepest([member]))

    def _enum(self, schema: dict[str, Any], _: int) -> _Type:
        return self._end(self._begin(schema), _Type(values.read_long, 0))

    def _fixed(self, schema: dict[str, Any], _: int) -> _Type:
        size = schema.get("size")
        if not isinstance(size, int) or size < 0:
            raise ForeignSchema
        return self._end(self._begin(schema), _Type(values.fixed(size) if size else None, 0))

    def _begin(self, schema: dict[str, Any]) -> str:
        """Takes a name that is being defined: it cannot be referred to yet. Names stand without their namespace."""
        name = str(schema.get("name")).rpartition(".")[2]
        if name in self._named:
            raise ForeignSchema
        self._named[name] = None
        return name

    def _end(self, name: str, made: _Type) -> _Type:
        self._named[name] = made
        return made


def _fields(schema: dict[str, Any]) -> dict[str, Any]:
    """A record's fields: name -> type, in order."""
    fields = schema.get("fields")
    if not isinstance(fields, list) or not all(isinstance(f, dict) and isinstance(f.get("name"), str) for f in fields):
        raise ForeignSchema
    found = {f["name"]: f.get("type") for f in fields}
    if len(found) != len(fields):
        raise ForeignSchema
    return found


def _deepest(members: list[_Type]) -> int:
    return 1 + max((m.depth for m in members), default=0)
