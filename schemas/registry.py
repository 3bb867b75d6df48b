"""Reads `schemas/avro/*.avsc` and answers what they say.

Everything that depends on the contract (decoding, consent, treatments, Arrow
and Parquet schemas, the data dictionary) asks here and nowhere else.
"""

import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import fastavro
import pyarrow as pa

from schemas.errors import IncompatibleSchema
from schemas.routes import Route, parse_route
from schemas.shapes import check_shape

EVENT_DATASETS = (
    "requests",
    "displays",
    "outcomes",
    "persistence_checks",
    "redactions",
    "errors",
    "snippets",
)
"""Datasets whose rows are events, in the order in which routing rules apply."""

SUGGESTIONS = "suggestions"
"""The dataset that is joined from others; no event lands in it."""

ACCEPTANCE = "acceptance"
"""The dataset of rates that the metrics job makes from the others."""

LEVELS = ("off", "crash", "error", "usage", "snippet")
"""Telemetry levels from nothing to everything; a field needs one of them."""

PERMITTED = {"off": 0, "crash": 1, "error": 2, "all": 3}
"""A user's `telemetry_level` -> index in LEVELS of the highest level permitted."""

_ATTRIBUTES = {
    "name", "type", "default", "doc", "sources", "classification", "purpose", "treatment", "level",
    "unit", "parse", "one_of", "otherwise", "scrub", "length_of", "shape",
}  # fmt: skip
_TREATMENTS = ("keep", "pseudonymize", "geolocate", "scrub", "encrypt", "drop", "seal")
_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "bytes": pa.binary(),
    "timestamp-micros": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
}


@dataclass(frozen=True)
class Field:
    """One column of a dataset as its schema file states it."""

    name: str
    type: pa.DataType
    doc: str
    required: bool
    sources: tuple[str, ...] = ()
    classification: str = ""
    purpose: str = ""
    treatment: str = "keep"
    level: str = "usage"
    unit: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def pseudonym_domain(self) -> str | None:
        """The domain of a pseudonymized field, else None."""
        kind, _, domain = self.treatment.partition(":")
        return domain if kind == "pseudonymize" else None

    @property
    def role(self) -> str | None:
        """The role that may read an encrypted field, else None."""
        kind, _, role = self.treatment.partition(":")
        return role if kind == "encrypt" else None

    @property
    def shape(self) -> str:
        """What a kept text may be, as people read it; empty where the field is no kept text."""
        return self.attributes.get("shape") or ", ".join(self.attributes.get("one_of", ()))

    @property
    def is_scrubbed(self) -> bool:
        """Whether free text in it is scrubbed."""
        return self.treatment == "scrub" or bool(self.attributes.get("scrub"))


@dataclass(frozen=True)
class Schema:
    """One dataset's schema: what is decoded, what may be kept, what lands."""

    name: str
    version: int
    doc: str
    level: str
    delete_after_days: int
    events: tuple[Route, ...]
    attached: bool
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field of that name; KeyError where there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {f.name: f for f in self.fields}

    @cached_property
    def arrow(self) -> pa.Schema:
        """The columns of the dataset's files; doc, unit, shape and classification as metadata."""
        return pa.schema(
            [pa.field(f.name, f.type, nullable=not f.required, metadata=_metadata(f)) for f in self.fields],
            metadata={"dataset": self.name, "schema_version": str(self.version), "doc": self.doc},
        )

    @cached_property
    def sealed_arrow(self) -> pa.Schema:
        """The same columns as they travel: pseudonyms as 16 bytes, `is_primary` at the end."""
        columns = [pa.field(f.name, pa.binary(16) if f.pseudonym_domain else f.type) for f in self.fields]
        return pa.schema([*columns, pa.field("is_primary", pa.bool_())])


def _metadata(f: Field) -> dict[str, str]:
    facts = {"doc": f.doc, "classification": f.classification, "treatment": f.treatment}
    return {**facts, **({"unit": f.unit} if f.unit else {}), **({"shape": f.shape} if f.shape else {})}


def _arrow_type(avro: Any) -> pa.DataType:
    if isinstance(avro, dict):
        if avro.get("type") == "map":
            return pa.map_(pa.string(), _arrow_type(avro["values"]))
        avro = avro.get("logicalType", avro["type"])
    if avro not in _ARROW:
        raise IncompatibleSchema(f"avro type {avro!r}: allowed are {', '.join(_ARROW)} and map")
    return _ARROW[avro]


def parse_field(raw: dict[str, Any], where: str) -> Field:
    """A `Field` from its JSON; raises IncompatibleSchema on anything not in the contract's language."""
    unknown = set(raw) - _ATTRIBUTES
    missing = {"doc", "classification", "purpose", "treatment", "level"} - set(raw)
    if unknown or missing:
        raise IncompatibleSchema(
            f"{where}.{raw.get('name')}: unknown attributes {sorted(unknown)}, missing {sorted(missing)}"
        )
    if raw["treatment"].partition(":")[0] not in _TREATMENTS or raw["level"] not in LEVELS:
        raise IncompatibleSchema(
            f"{where}.{raw['name']}: treatment {raw['treatment']!r} or level {raw['level']!r} is none of "
            f"{', '.join(_TREATMENTS)}; {', '.join(LEVELS)}"
        )
    nullable = isinstance(raw["type"], list)
    kind = _arrow_type(raw["type"][1] if nullable else raw["type"])
    if raw["treatment"] == "keep" and _holds_text(kind):
        check_shape(raw, f"{where}.{raw['name']}")
    return Field(
        name=raw["name"],
        type=kind,
        doc=raw["doc"],
        required=not nullable,
        sources=tuple(raw.get("sources", ())),
        classification=raw["classification"],
        purpose=raw["purpose"],
        treatment=raw["treatment"],
        level=raw["level"],
        unit=raw.get("unit"),
        attributes={k: raw[k] for k in raw if k in _ATTRIBUTES},
    )


def _holds_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or (pa.types.is_map(kind) and pa.types.is_string(kind.item_type))


def parse_schema(raw: dict[str, Any], included: dict[str, Any] | None = None) -> Schema:
    """A `Schema` from a parsed file and, where it includes one, the included file."""
    fastavro.parse_schema(raw)
    own = [parse_field(f, raw["name"]) for f in raw["fields"]]
    if included is not None:
        only = raw.get("include_only")
        common = [f for f in included["fields"] if only is None or f["name"] in only]
        own = [parse_field(f, raw["name"]) for f in common] + own
    names = [f.name for f in own]
    if len(set(names)) != len(names):
        raise IncompatibleSchema(f"{raw['name']}: a field name stands twice")
    return Schema(
        name=raw["name"],
        version=raw["version"],
        doc=raw["doc"],
        level=raw.get("level", "off"),
        delete_after_days=raw.get("delete_after_days", 0),
        events=tuple(parse_route(e) for e in raw.get("events", ())),
        attached=bool(raw.get("attached")),
        fields=tuple(own),
    )


@cache
def raw_schemas() -> dict[str, dict[str, Any]]:
    """Every schema file, parsed as JSON, by `<name>.<version>`."""
    folder = files("schemas") / "avro"
    found = sorted(p.name for p in folder.iterdir() if p.name.endswith(".avsc"))
    return {name.removesuffix(".avsc"): json.loads((folder / name).read_text()) for name in found}


@cache
def load(name: str) -> Schema:
    """The newest version of a dataset's schema."""
    raws = [r for r in raw_schemas().values() if r["name"] == name]
    if not raws:
        raise IncompatibleSchema(f"no schema file for {name!r} in schemas/avro")
    newest = max(raws, key=lambda r: int(r["version"]))
    include = newest.get("include")
    return parse_schema(newest, raw_schemas()[include] if include else None)


@cache
def event_schemas() -> dict[str, Schema]:
    """The schemas of EVENT_DATASETS by name."""
    return {name: load(name) for name in EVENT_DATASETS}


@cache
def contract_digest() -> str:
    """16 hex digits that change with any edit of any schema file; sealed pieces are bound to it."""
    text = json.dumps(raw_schemas(), sort_keys=True).encode()
    return blake2b(text, digest_size=8).hexdigest()
