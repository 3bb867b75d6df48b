"""Readers by name: each has key pairs of her own in a role, from one month on and until another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.core.keys.documents import Unsound, check_members, key_of, key_text, key_texts, keys_of, month_of
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING, is_reader

_MEMBERS = frozenset(("public_keys", "receipt_key", "since", "until"))


@dataclass(repr=False)
class Reader(InProcess):
    """What the ring knows of a reader in one role: public keys by key id, and what checks her receipts.

    She is sealed to from the month `since` on (None: from the first), and no more from the month `until` on (None:
    she stays). The key of the month in which she was removed stays, as something may have been sealed to it before.
    """

    public_keys: dict[str, bytes] = field(default_factory=dict)
    receipt_key: bytes | None = None
    since: str | None = None
    until: str | None = None

    def is_sealed_to(self, key_id: str) -> bool:
        """Whether what is written for a month is sealed to her; of the standing key, what is written from now on."""
        if key_id == STANDING:
            return self.until is None
        return self.reads(key_id)

    def reads(self, month: str) -> bool:
        """Whether she is a reader in a month."""
        return (self.since is None or self.since <= month) and (self.until is None or month < self.until)


Readers = dict[str, dict[str, Reader]]
"""Role -> reader's name -> reader."""


def own_readers() -> Readers:
    """One reader for each role, who bears its name, without keys."""
    return {role: {role: Reader()} for role in ROLES}


def readers_text(readers: Readers) -> dict[str, Any]:
    """Readers as they stand in a document."""
    return {role: {name: _text_of(reader) for name, reader in named.items()} for role, named in readers.items()}


def readers_of(value: object) -> Readers:
    """Readers as version 2 of the ring has them; raises Unsound."""
    readers = {}
    for role, named in _by_role(value, "readers").items():
        if not isinstance(named, dict) or not all(map(is_reader, named)):
            raise Unsound(f"readers.{role} is no object of readers")
        readers[role] = {name: _reader_of(reader, role, name) for name, reader in named.items()}
    return readers


def readers_of_roles(value: object) -> Readers:
    """Readers from public keys by role, as version 1 of the ring has them; raises Unsound."""
    return {
        role: {role: Reader(keys_of(keys, f"public_keys.{role}", _standing(role)))}
        for role, keys in _by_role(value, "public_keys").items()
    }


def _by_role(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or {*value} != {*ROLES}:
        raise Unsound(f"{place} is no object of the roles {', '.join(ROLES)}")
    return value


def _text_of(reader: Reader) -> dict[str, Any]:
    return {
        "public_keys": key_texts(reader.public_keys),
        "receipt_key": None if reader.receipt_key is None else key_text(reader.receipt_key),
        "since": reader.since,
        "until": reader.until,
    }


def _reader_of(value: object, role: str, name: str) -> Reader:
    place = f"readers.{role}.{name}"
    if not isinstance(value, dict):
        raise Unsound(f"{place} is no object")
    check_members(value, _MEMBERS)
    receipt_key = value["receipt_key"]
    return Reader(
        public_keys=keys_of(value["public_keys"], f"{place}.public_keys", _standing(role)),
        receipt_key=None if receipt_key is None else key_of(receipt_key, f"{place}.receipt_key"),
        since=month_of(value["since"], f"{place}.since"),
        until=month_of(value["until"], f"{place}.until"),
    )


def _standing(role: str) -> str | None:
    return STANDING if role == OPERATORS else None
