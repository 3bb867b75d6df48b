"""Reads `schemas/avro/*.avsc` and answers what they say.

Everything that depends on the contract (decoding, consent, treatments, Arrow
and Parquet schemas, the data dictionary) asks here and nowhere else.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import fastavro
import pyarrow as pa

from schemas.errors import IncompatibleSchema
from schemas.fields import Field, field_of
from schemas.routes import Route, parse_route
from schemas.shapes import check_shape

EVENT_DATASETS = (
    "requests",
    "displays",
    "endings",
    "outcomes",
    "persistence_checks",
    "redactions",
    "errors",
    "snippets",
)
"""Datasets whose rows are events, in the order in which routing rules apply."""

EXTENSION_EVENTS = "extension_events"
"""The dataset of events that no schema routes and a manifest declares: see `schemas.manifests`."""

SUGGESTIONS = "suggestions"
"""The dataset that is joined from others; no event lands in it."""

ACCEPTANCE = "acceptance"
"""The dataset of rates that the metrics job makes from the others."""

FORMER = {name: f"_former_{name}" for name in ("key_id", "installation_id", "session_id", "user_id")}
"""Columns that differ from month to month -> the columns in which an event of a month's first day has them, too, as
they would be in the month before: see `transforms.core.curating.epochs`."""

LEVELS = ("off", "crash", "error", "usage", "snippet")
"""Telemetry levels from nothing to everything; a field needs one of them."""

PERMITTED = {"off": 0, "crash": 1, "error": 2, "all": 3}
"""A user's `telemetry_level` -> index in LEVELS of the highest level permitted."""

_RECORD_ATTRIBUTES = {
    "type", "name", "namespace", "doc", "version", "include", "include_only", "level", "delete_after_days", "events",
    "attached", "fields",
}  # fmt: skip


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
        """The columns of the dataset's files. What they mean stands once beside an output, by the contract's digest."""
        return pa.schema(
            [pa.field(f.name, f.type, nullable=not f.required) for f in self.fields],
            metadata={"dataset": self.name, "schema_version": str(self.version), "contract": contract_digest()},
        )

    @cached_property
    def sealed_arrow(self) -> pa.Schema:
        """The same columns as they travel: pseudonyms as 16 bytes, then those of `former` and `is_primary`."""
        columns = [pa.field(f.name, pa.binary(16) if f.pseudonym_domain else f.type) for f in self.fields]
        return pa.schema([*columns, *self.former, pa.field("is_primary", pa.bool_())])

    @cached_property
    def former(self) -> tuple[pa.Field, ...]:
        """Columns for what FORMER names under the month before, in events that belong to suggestions.

        They are null but for the first day of a month, and no file has them.
        """
        names = [name for name in FORMER if name in self._by_name] if self.name in EVENT_DATASETS else []
        kinds = {name: pa.binary(16) if self.field(name).pseudonym_domain else self.field(name).type for name in names}
        return tuple(pa.field(FORMER[name], kind) for name, kind in kinds.items())


def parse_field(raw: dict[str, Any], where: str) -> Field:
    """A `Field` from its JSON; raises IncompatibleSchema on anything that is not in the contract's language."""
    field = field_of(raw, where, LEVELS)
    if field.is_kept_text:
        check_shape(field, f"{where}.{field.name}")
    return field


def parse_schema(raw: dict[str, Any], included: dict[str, Any] | None = None) -> Schema:
    """A `Schema` from a parsed file and, where it includes one, the included file.

    Raises IncompatibleSchema on an attribute that nobody knows.
    """
    if unknown := set(raw) - _RECORD_ATTRIBUTES:
        raise IncompatibleSchema(f"{raw.get('name')}: unknown attributes {sorted(unknown)}")
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
