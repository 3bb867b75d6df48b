"""A field of the contract: one column of a dataset, with every attribute that its schema file may state."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from schemas.errors import IncompatibleSchema

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
_REQUIRED: dict[str, Any] = {
    "name": str, "type": (str, list, dict), "doc": str, "classification": str, "purpose": str, "treatment": str,
    "level": str,
}  # fmt: skip
_OPTIONAL: dict[str, Any] = {
    "default": object, "sources": list, "unit": str, "parse": str, "shape": str, "one_of": list, "otherwise": str,
    "scrub": bool, "length_of": str,
}  # fmt: skip
"""Attributes of a field and the JSON types of their values; `default` is Avro's and is always null."""

PRODUCT, VERSION, LISTED = "product", "version", "listed"
"""The values of `parse`: which part of `product/version` lands (what a version is, the field's shape says); or that the
sources are lists, of which the values of the field's shape land and nothing else."""


@dataclass(frozen=True)
class Field:
    """One column of a dataset as its schema file states it; an attribute that the file leaves out has its default."""

    name: str
    type: pa.DataType
    doc: str
    required: bool
    classification: str
    purpose: str
    treatment: str
    level: str
    sources: tuple[str, ...] = ()
    """Places on the wire that the value may come from, the first one that has a value wins."""
    unit: str | None = None
    shape: str = ""
    """What a kept text may be: see `schemas.shapes`. Empty where the values are listed, and where no text is kept."""
    one_of: tuple[str, ...] = ()
    """The values that a kept text may have, where the contract lists them itself."""
    otherwise: str | None = None
    """What lands for any other text, and for none; `other` where the contract does not say."""
    parse: str | None = None
    scrub: bool = False
    """Whether text with another treatment than `scrub`, such as code, is scrubbed as well."""
    length_of: str | None = None
    """The field whose length in characters, after scrubbing, this one is."""

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
    def allowed(self) -> str:
        """What a kept text may be, as people read it: its shape or its values. Empty where no text is kept."""
        return self.shape or ", ".join(self.one_of)

    @property
    def known_list(self) -> str:
        """The list of known values that its shape names, empty where it names none."""
        return self.shape.partition(":")[2]

    @property
    def is_scrubbed(self) -> bool:
        """Whether free text in it is scrubbed."""
        return self.treatment == "scrub" or self.scrub

    @property
    def is_kept_text(self) -> bool:
        """Whether it is text, or a map of texts, that lands as it came: then it must declare what it may be."""
        is_text_map = pa.types.is_map(self.type) and pa.types.is_string(self.type.item_type)
        return self.treatment == "keep" and (is_text_map or pa.types.is_string(self.type))


def field_of(raw: dict[str, Any], where: str, levels: tuple[str, ...]) -> Field:
    """A `Field` from its JSON; `where` names its dataset.

    Raises IncompatibleSchema on an attribute that nobody knows, one that is missing, and one whose value has
    another type or is none of the contract's words.
    """
    place = f"{where}.{raw.get('name')}"
    _check_attributes(raw, place)
    if raw["treatment"].partition(":")[0] not in _TREATMENTS or raw["level"] not in levels:
        raise IncompatibleSchema(
            f"{place}: treatment {raw['treatment']!r} or level {raw['level']!r} is none of "
            f"{', '.join(_TREATMENTS)}; {', '.join(levels)}"
        )
    nullable = isinstance(raw["type"], list)
    return Field(
        name=raw["name"],
        type=arrow_type(raw["type"][1] if nullable else raw["type"]),
        doc=raw["doc"],
        required=not nullable,
        classification=raw["classification"],
        purpose=raw["purpose"],
        treatment=raw["treatment"],
        level=raw["level"],
        sources=tuple(raw.get("sources", ())),
        unit=raw.get("unit"),
        shape=raw.get("shape", ""),
        one_of=tuple(raw.get("one_of", ())),
        otherwise=raw.get("otherwise"),
        parse=raw.get("parse"),
        scrub=raw.get("scrub", False),
        length_of=raw.get("length_of"),
    )


def _check_attributes(raw: dict[str, Any], place: str) -> None:
    unknown = set(raw) - set(_REQUIRED) - set(_OPTIONAL)
    missing = set(_REQUIRED) - set(raw)
    if unknown or missing:
        raise IncompatibleSchema(f"{place}: unknown attributes {sorted(unknown)}, missing {sorted(missing)}")
    for name, value in raw.items():
        kind = _REQUIRED.get(name) or _OPTIONAL[name]
        if not isinstance(value, kind) or (kind is list and not all(isinstance(each, str) for each in value)):
            raise IncompatibleSchema(f"{place}: {name} is {type(value).__name__}, of another type than it must be")
    if raw.get("parse", PRODUCT) not in (PRODUCT, VERSION, LISTED) or raw.get("default") is not None:
        raise IncompatibleSchema(f"{place}: parse may be {PRODUCT}, {VERSION} or {LISTED}, and default null")


def arrow_type(avro: Any) -> pa.DataType:
    """The Arrow type of an Avro type; raises IncompatibleSchema where the contract does not use it."""
    if isinstance(avro, dict):
        if avro.get("type") == "map":
            return pa.map_(pa.string(), arrow_type(avro["values"]))
        avro = avro.get("logicalType", avro["type"])
    if avro not in _ARROW:
        raise IncompatibleSchema(f"avro type {avro!r}: allowed are {', '.join(_ARROW)} and map")
    return _ARROW[avro]
