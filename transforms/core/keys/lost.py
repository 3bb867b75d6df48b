"""Key files that are declared lost: who says so, when, and of which months. It is what somebody says, and no proof.

Each declaration is signed with the ring's signing key, so that it can be shown to others as the ring's own word.
"""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from schemas.errors import InvalidOptions
from transforms.core.keys.documents import Unsound, check_members, key_of, key_text, months_of, signature_of, time_of
from transforms.core.keys.roles import OPERATORS, ROLES, holder_of, is_reader
from transforms.core.keys.signing import Signer, verify_signature

_MEMBERS = frozenset(("holder", "months", "declared_at", "declared_by", "signature"))
_PURPOSE = b"suggestion-telemetry: declared lost\0"
_MOST_NAME_CHARS = 120

NotProven = dict[str, dict[str, bytes]]
"""Month -> holder -> the public half of the key that nobody has shown to be gone."""


class Lost(NamedTuple):
    """A declaration: the months are those of which the ring knew a key of this holder then."""

    holder: str
    months: tuple[str, ...]
    declared_at: datetime
    declared_by: str
    signature: bytes = b""

    @property
    def fact(self) -> str:
        """What is known, for readers of datasets: they need not know who said so."""
        return f"the key file of {self.holder} was declared lost on {self.declared_at:%Y-%m-%d}"

    @property
    def told(self) -> str:
        """In words that claim no more than is known."""
        return f"{self.fact} by {self.declared_by}"

    def signed(self, signer: Signer) -> "Lost":
        """The same with its signature."""
        return self._replace(signature=signer.sign(self._message))

    def is_signed(self, public_keys: Collection[bytes]) -> bool:
        """Whether one of the keys has signed it."""
        return any(verify_signature(key, self._message, self.signature) for key in public_keys)

    @property
    def _message(self) -> bytes:
        told = [self.holder, self.months, self.declared_at.isoformat(), self.declared_by]
        return _PURPOSE + json.dumps(told).encode()


def check_name(name: str) -> str:
    """The name of who declares; raises InvalidOptions where it is none that a line can show."""
    if not name.strip() or not name.isprintable() or len(name) > _MOST_NAME_CHARS:
        raise InvalidOptions(f"--by: allowed are 1 to {_MOST_NAME_CHARS} printable characters that say who declares it")
    return name.strip()


def lost_text(lost: list[Lost]) -> list[dict[str, Any]]:
    """Declarations as they stand in a document."""
    return [
        {
            "holder": each.holder,
            "months": [*each.months],
            "declared_at": each.declared_at.isoformat(),
            "declared_by": each.declared_by,
            "signature": key_text(each.signature),
        }
        for each in lost
    ]


def lost_of(value: object) -> list[Lost]:
    """Declarations of a document; raises Unsound."""
    if not isinstance(value, list):
        raise Unsound("lost is no list of declarations")
    return [_declaration(each, f"lost.{number}") for number, each in enumerate(value)]


def _declaration(value: Any, place: str) -> Lost:
    if not isinstance(value, dict):
        raise Unsound(f"{place} is no object")
    check_members(value, _MEMBERS)
    by = value["declared_by"]
    if not isinstance(by, str) or not by.isprintable() or not by:
        raise Unsound(f"{place}.declared_by is no name")
    return Lost(
        _holder_of(value["holder"], place),
        tuple(months_of(value["months"], f"{place}.months")),
        time_of(value["declared_at"], f"{place}.declared_at"),
        by,
        signature_of(value["signature"], f"{place}.signature"),
    )


def _holder_of(value: object, place: str) -> str:
    """A holder of monthly keys."""
    role, _, reader = value.partition("/") if isinstance(value, str) else ("", "", "")
    if (
        role not in ROLES
        or role == OPERATORS
        or holder_of(role, reader or role) != value
        or not is_reader(reader or role)
    ):
        raise Unsound(f"{place} is of no holder of monthly keys")
    return holder_of(role, reader or role)


def not_proven_text(not_proven: NotProven) -> dict[str, dict[str, str]]:
    """Keys that nobody has shown to be gone, as they stand in a document."""
    return {
        month: {holder: key_text(key) for holder, key in sorted(held.items())}
        for month, held in sorted(not_proven.items())
    }


def not_proven_of(value: object) -> NotProven:
    """The same of a document; raises Unsound."""
    if not isinstance(value, dict) or not all(isinstance(held, dict) and held for held in value.values()):
        raise Unsound("not_proven is no object of months and holders")
    months_of([*value], "not_proven")
    return {
        month: {
            _holder_of(holder, f"not_proven.{month}"): key_of(key, f"not_proven.{month}")
            for holder, key in held.items()
        }
        for month, held in value.items()
    }
