"""The collector's stamp of a line that the strict reader has refused, and what it permits to be kept.

Consent that is unknown is none. A stamp counts only where it was read whole:
as the outermost member `collector` of a JSON object, or, where the rest of the
line is cut short or damaged, as such a member before which all is JSON.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.errors import MalformedPayload
from schemas.registry import PERMITTED, load
from transforms.core.loose_json import read_json, read_members, text_of, whole_text
from transforms.core.wire import Collector

STAMP_TYPES = {
    "received_at": "text: a time as ISO 8601",
    "client_ip": "text: an address",
    "telemetry_level": f"text: one of {', '.join(PERMITTED)}",
    "snippet_consent": "true or false",
    "": "an object",
}
"""What the members of a stamp must be; of the stamp itself under the empty name."""

_NAME = b'"collector"'
_GZIP_OR_ZSTD = (b"\x1f\x8b", b"\x28\xb5")
_CODE_NAMES = [s.rpartition(".")[2].encode() for f in load("snippets").fields if f.role for s in f.sources]
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")


class Stamp(NamedTuple):
    """A stamp as far as it could be read, and its first member that is of a wrong type; None: it is whole."""

    collector: Collector
    wrong: str | None = None


def rank_of(collector: Collector) -> int:
    """Index in LEVELS of the highest level that a stamp permits; 0 where its word is none of ours."""
    return PERMITTED.get(collector.telemetry_level or "", 0)


def lowest(stamps: Sequence[Collector]) -> Collector:
    """The last of a line's stamps with the lowest level and consent of all: a client may have sent one itself."""
    last = stamps[-1]
    level = min((s.telemetry_level or "" for s in stamps), key=lambda word: PERMITTED.get(word, 0))
    return Collector(last.received_at, last.client_ip, level, all(s.snippet_consent for s in stamps))


def settled(values: Sequence[Any]) -> Stamp:
    """What the values of all members `collector` of a line say; an empty stamp where it has none."""
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
    """A line's stamp, an empty one where it is JSON without one; None where it is not known whether it had one."""
    try:
        value, values = read_members(line, "collector")
    except MalformedPayload:
        return _stamp_of_broken(line)
    return settled(values) if isinstance(value, dict) else None


def _stamp_of_broken(line: bytes) -> Stamp | None:
    """The stamp of a line that is no JSON: its only one, whole, and the outermost object's by all that precedes it.

    The same word inside a text, or a second stamp anywhere, makes it unknown.
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


def may_keep_body(line: bytes, stamp: Collector | None, *, is_json: bool) -> bool:
    """Whether consent covers keeping the bytes of a refused payload, sealed; `stamp` None: it is not known.

    Its fields cannot be told apart any more, so all of it must be permitted: level `all`, and the
    account's consent where there may be code. What is no JSON may hold code anywhere; JSON holds it
    under one of the names of code, which an escape or compression would hide.
    """
    if stamp is None or stamp.telemetry_level != "all":
        return False
    if stamp.snippet_consent:
        return True
    hides = not is_json or line[:2] in _GZIP_OR_ZSTD or _ESCAPED_LETTER.search(line) is not None
    return not (hides or any(name in line for name in _CODE_NAMES))
