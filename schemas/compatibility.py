"""What a released schema file may still become: readers of old files must not notice.

Allowed: a new nullable field at the end, or at the end of those that are included; a better doc, more sources or
events, a stricter privacy rule. Anything else is a new version in a new file.
"""

from collections.abc import Iterator
from typing import Any

from schemas.errors import IncompatibleSchema
from schemas.registry import LEVELS, raw_schemas

_SHAPED = "keep as a word of a declared shape"
_STRICTNESS = ("keep", "scrub", _SHAPED, "geolocate", "pseudonymize", "seal", "encrypt", "drop")


def check_compatible(released: dict[str, Any], edited: dict[str, Any]) -> None:
    """Raises IncompatibleSchema naming every edit that readers or users would be hurt by.

    Both are schema files as parsed JSON.
    """
    problems = list(_problems(released, edited))
    if problems:
        name = f"{released['name']}.{released['version']}"
        raise IncompatibleSchema(f"{name}: {'; '.join(problems)}")


def _problems(released: dict[str, Any], edited: dict[str, Any]) -> Iterator[str]:
    for key in ("name", "version", "namespace", "include"):
        if released.get(key) != edited.get(key):
            yield f"{key} changed"
    if edited.get("delete_after_days", 0) > released.get("delete_after_days", 0):
        yield "kept longer than released"
    if _level(edited) < _level(released):
        yield "level lowered"
    yield from _inclusion_problems(released, edited)
    old, new = released["fields"], edited["fields"]
    names = [f["name"] for f in new]
    if names[: len(old)] != [f["name"] for f in old]:
        yield "fields removed, renamed or moved"
        return
    for before, after in zip(old, new, strict=False):
        yield from _field_problems(before, after)
    for added in new[len(old) :]:
        if not isinstance(added["type"], list) or added["type"][0] != "null":
            yield f"{added['name']}: new fields must be nullable"


def _inclusion_problems(released: dict[str, Any], edited: dict[str, Any]) -> Iterator[str]:
    before, after = released.get("include_only"), edited.get("include_only")
    if before == after:
        return
    if not before or not after or after[: len(before)] != before:
        yield "include_only changed"
        return
    included = {f["name"]: f for f in raw_schemas()[edited["include"]]["fields"]}
    for name in after[len(before) :]:
        if name not in included or not isinstance(included[name]["type"], list):
            yield f"{name}: newly included fields must be nullable"


def _field_problems(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    name = before["name"]
    for key in ("type", "unit", "parse", "default"):
        if before.get(key) != after.get(key):
            yield f"{name}: {key} changed"
    if _strictness(after) < _strictness(before):
        yield f"{name}: treatment weakened to {after.get('treatment')}"
    if before.get("shape") and before["shape"] != after.get("shape") and _strictness(after) <= _strictness(before):
        yield f"{name}: another shape"
    if _is_renamed_domain(before, after):
        yield f"{name}: another pseudonym domain or role"
    if _level(after) < _level(before):
        yield f"{name}: level lowered to {after.get('level')}"


def _strictness(field: dict[str, Any]) -> int:
    kind = field.get("treatment", "keep").partition(":")[0]
    return _STRICTNESS.index(_SHAPED if kind == "keep" and ("shape" in field or "one_of" in field) else kind)


def _level(item: dict[str, Any]) -> int:
    return LEVELS.index(item.get("level", "off"))


def _is_renamed_domain(before: dict[str, Any], after: dict[str, Any]) -> bool:
    old, new = before.get("treatment", "keep"), after.get("treatment", "keep")
    return old.partition(":")[0] == new.partition(":")[0] and old != new
