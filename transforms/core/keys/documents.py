"""Key files as documents: JSON that says each thing once, keys of the right length, months that are months."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.errors import KeyUnavailable

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_MOST_EDITIONS = 2**53
"""More than anybody writes, and still a whole number to every reader of JSON."""
_MONTH = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])")


class Unsound(Exception):
    """What is wrong with a document; never leaves `keyring`, never holds a key."""


def check_month(month: str) -> str:
    """The month itself; raises KeyUnavailable where it is not YYYY-MM."""
    if not _MONTH.fullmatch(month):
        raise KeyUnavailable(f"month {month!r}: allowed is YYYY-MM")
    return month


def read_document(data: bytes, versions: Mapping[int, frozenset[str]]) -> tuple[int, dict[str, Any]]:
    """The version of a JSON object and its members: exactly those of that version, beside `version`; raises Unsound."""
    try:
        document = json.loads(data, object_pairs_hook=_told_once)
    except (ValueError, RecursionError):
        raise Unsound("no JSON") from None
    if not isinstance(document, dict):
        raise Unsound("no JSON object")
    version = document.pop("version", None)
    if type(version) is not int or version not in versions:
        shown = version if type(version) is int and 0 <= version < 1000 else "unknown"
        raise Unsound(f"of version {shown}; this program reads up to {max(versions)}")
    check_members(document, versions[version])
    return version, document


def check_members(document: Mapping[str, Any], members: frozenset[str]) -> None:
    """Raises Unsound where an object has not exactly these members."""
    if missing := sorted(members - document.keys()):
        raise Unsound(f"without {missing[0]!r}")
    if document.keys() - members:
        raise Unsound("with a member that this version does not know")


def write_document(version: int, **members: Any) -> bytes:
    """What `read_document` reads."""
    return (json.dumps({"version": version, **members}, indent=1) + "\n").encode()


def key_text(key: bytes) -> str:
    """A key as it stands in a document: base64."""
    return base64.b64encode(key).decode()


def key_texts(keys: Mapping[str, bytes]) -> dict[str, str]:
    """Keys as they stand in a document, by month."""
    return {name: key_text(key) for name, key in sorted(keys.items())}


def key_of(value: object, place: str) -> bytes:
    """A key's bytes; raises Unsound where it is not 32 bytes in base64, or no random ones."""
    try:
        key = base64.b64decode(value.encode("ascii"), validate=True) if isinstance(value, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or key_text(key) != value:
        raise Unsound(f"{place} is no key of {KEY_BYTES} bytes in base64")
    if len({*key}) == 1:
        raise Unsound(f"{place} is one byte again and again, no key")
    return key


def keys_of(value: object, place: str, standing: str | None = None) -> dict[str, bytes]:
    """Keys by month, or by the one name `standing`; raises Unsound."""
    if not isinstance(value, dict):
        raise Unsound(f"{place} is no object of keys")
    for name in value:
        if not (_MONTH.fullmatch(name) if standing is None else name == standing):
            raise Unsound(f"{place} names a key that is {'no month' if standing is None else 'not ' + standing}")
    return {name: key_of(key, f"{place}.{name}") for name, key in value.items()}


def months_of(value: object, place: str) -> list[str]:
    """Months, each once; raises Unsound."""
    if not isinstance(value, list) or not all(isinstance(m, str) and _MONTH.fullmatch(m) for m in value):
        raise Unsound(f"{place} is no list of months")
    if len({*value}) != len(value):
        raise Unsound(f"{place} names a month twice")
    return list(value)


def signature_of(value: object, place: str) -> bytes:
    """A signature's 64 bytes; raises Unsound where it is not so many in base64."""
    try:
        signature = base64.b64decode(value.encode("ascii"), validate=True) if isinstance(value, str) else b""
    except ValueError:
        signature = b""
    if len(signature) != SIGNATURE_BYTES:
        raise Unsound(f"{place} is no signature of {SIGNATURE_BYTES} bytes in base64")
    return signature


def time_of(value: object, place: str) -> datetime:
    """A time in UTC as `isoformat` writes it; raises Unsound."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo != UTC or time.isoformat() != value:
        raise Unsound(f"{place} is no time in UTC")
    return time


def month_of(value: object, place: str) -> str | None:
    """A month or null; raises Unsound."""
    if value is not None and not (isinstance(value, str) and _MONTH.fullmatch(value)):
        raise Unsound(f"{place} is no month")
    return value


def edition_of(value: object) -> int:
    """A whole number from 1 on; raises Unsound."""
    if type(value) is not int or not 1 <= value < _MOST_EDITIONS:
        raise Unsound("edition is no whole number of 1 or more")
    return value


def check_distinct(keys: dict[str, bytes]) -> None:
    """Raises Unsound where two places hold the same key: what they part would meet."""
    seen: dict[bytes, str] = {}
    for place, key in keys.items():
        if key in seen:
            raise Unsound(f"{seen[key]} and {place} are the same key")
        seen[key] = place


def _told_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
