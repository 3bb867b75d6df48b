"""The collector's stamp on a request, and what it permits to keep.

Consent that is not known counts as none.
"""

import re
from collections.abc import Sequence

import msgspec

from schemas.registry import PERMITTED, load

_GZIP_OR_ZSTD = (b"\x1f\x8b", b"\x28\xb5")
_CODE_NAMES = [s.rpartition(".")[2].encode() for f in load("snippets").fields if f.role for s in f.sources]
_ESCAPED_LETTER = re.compile(rb"\\u00[2-7]")


class Collector(msgspec.Struct, gc=False):
    """The stamp of whoever accepted the request; the only source of address and consent."""

    received_at: str | None = None
    client_ip: str | None = None
    telemetry_level: str | None = None
    snippet_consent: bool | None = None


def rank_of(collector: Collector) -> int:
    """Index in LEVELS of the highest level that a stamp permits; 0 where its word is unknown or missing."""
    return PERMITTED.get(collector.telemetry_level or "", 0)


def lowest(stamps: Sequence[Collector]) -> Collector:
    """The last of a line's stamps, with the lowest level and consent of all: a client may have sent one of its own."""
    last = stamps[-1]
    level = min((s.telemetry_level or "" for s in stamps), key=lambda word: PERMITTED.get(word, 0))
    return Collector(last.received_at, last.client_ip, level, all(s.snippet_consent for s in stamps))


def may_keep_body(line: bytes, stamp: Collector | None, *, is_json: bool) -> bool:
    """Whether consent covers keeping the bytes of a refused payload, sealed. `stamp` None: it is not known.

    The payload's fields cannot be told apart, so all of it must be permitted: level `all`, and the account's
    consent if there may be code in it. JSON holds code only under certain names, which an escape or compression
    could hide; bytes that are not JSON may hold code anywhere.
    """
    if stamp is None or stamp.telemetry_level != "all":
        return False
    if stamp.snippet_consent:
        return True
    hides = not is_json or line[:2] in _GZIP_OR_ZSTD or _ESCAPED_LETTER.search(line) is not None
    return not (hides or any(name in line for name in _CODE_NAMES))
