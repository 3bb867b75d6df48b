"""Signing keys that sign no more: the public half stays in the ring, with the time and the reason; the rest is gone."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from transforms.core.keys.documents import Unsound, check_members, key_of, key_text, time_of

ROUTINE, LEAKED = "routine", "leaked"
REASONS = (ROUTINE, LEAKED)
"""Why a signing key is retired. Of one that leaked, nothing is believed that nobody else vouches for."""

_MEMBERS = frozenset(("public_key", "retired_at", "reason"))


class RetiredKey(NamedTuple):
    """The public half of a signing key, when it was retired (UTC, whole seconds), and why."""

    public_key: bytes
    retired_at: datetime
    reason: str


def retire(public_key: bytes, reason: str) -> RetiredKey:
    """A key that is retired now."""
    return RetiredKey(public_key, datetime.now(UTC).replace(microsecond=0), reason)


def retired_text(retired: list[RetiredKey]) -> list[dict[str, str]]:
    """Retired keys as they stand in a document, the oldest first."""
    return [
        {"public_key": key_text(key.public_key), "retired_at": key.retired_at.isoformat(), "reason": key.reason}
        for key in retired
    ]


def retired_of(value: object) -> list[RetiredKey]:
    """Retired keys of a document; raises Unsound."""
    if not isinstance(value, list):
        raise Unsound("retired is no list of keys")
    return [_key_of(each, f"retired.{number}") for number, each in enumerate(value)]


def _key_of(value: Any, place: str) -> RetiredKey:
    if not isinstance(value, dict):
        raise Unsound(f"{place} is no object")
    check_members(value, _MEMBERS)
    if value["reason"] not in REASONS:
        raise Unsound(f"{place}.reason is none of {', '.join(REASONS)}")
    public_key = key_of(value["public_key"], f"{place}.public_key")
    return RetiredKey(public_key, time_of(value["retired_at"], f"{place}.retired_at"), value["reason"])
