"""The collector's stamp of a line that the strict reader has refused, and what it permits to be kept.

Consent that is not known counts as none. A stamp counts only if it was read
whole: as the outermost member `collector` of a JSON object. The line may be cut
or damaged behind it, if everything before it is JSON.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.errors import MalformedPayload
from schemas.registry import PERMITTED
from transforms.core.consent import Collector, lowest
from transforms.core.decoding.loose_json import read_json, read_members, text_of, whole_text

STAMP_TYPES = {
    "received_at": "text: a time as ISO 8601",
    "client_ip": "text: an address",
    "telemetry_level": f"text: one of {', '.join(PERMITTED)}",
    "snippet_consent": "true or false",
    "": "an object",
}
"""What the members of a stamp must be; the stamp itself stands under the empty name."""

_NAME = b'"collector"'


class Stamp(NamedTuple):
    """A stamp as far as it could be read, and its first member of a wrong type; None where the stamp is whole."""

    collector: Collector
    wrong: str | None = None


def settled(values: Sequence[Any]) -> Stamp:
    """The stamp that all members `collector` of a line make together; an empty one where there is no such member."""
    stamps = [_stamp(value) for value in values]
    if len(stamps) < 2:
        return stamps[0] if stamps else Stamp(Collector())
    return Stamp(lowest([s.collector for s in stamps]), next((s.wrong for s in stamps if s.wrong is not None), None))


def _stamp(value: Any) -> Stamp:
    if value is None:
        return Stamp(Collector())
    if not isinstance(value, dict):
        return Stamp(Collector(), "")
    kept: dict[str, Any] = {}
    wrong = None
    for name in Collector.__struct_fields__:
        member = value.get(name)
        if member is None or isinstance(member, bool if name == "snippet_consent" else str):
            kept[name] = whole_text(member) if isinstance(member, str) else member
        elif wrong is None or name == "telemetry_level":
            wrong = name
    return Stamp(Collector(**kept), wrong)


def stamp_of(line: bytes) -> Stamp | None:
    """A line's stamp, an empty one if the line is JSON without one; None if it cannot be known whether it had one."""
    try:
        value, values = read_members(line, "collector")
    except MalformedPayload:
        return _stamp_of_broken(line)
    return settled(values) if isinstance(value, dict) else None


def _stamp_of_broken(line: bytes) -> Stamp | None:
    """The stamp of a line that is not JSON: the only one in it, whole, and by all that precedes it an outermost member.

    A second `"collector"` anywhere in the line, inside a text too, makes the stamp unknown.
    """
    at = line.find(_NAME)
    if at < 0 or line.find(_NAME, at + 1) >= 0:
        return None
    before = line[:at].strip()
    try:
        outer = read_json(before.removesuffix(b",") + b"}") if before != b"{" else {}
        text = text_of(line[at + len(_NAME) :]).lstrip()
        value, _ = json.JSONDecoder(strict=False).raw_decode(text[1:].lstrip())
    except (MalformedPayload, ValueError, RecursionError):
        return None
    is_member = isinstance(outer, dict) and (before == b"{" or before.endswith(b",")) and text.startswith(":")
    return _stamp(value) if is_member and isinstance(value, dict) and "collector" not in outer else None
