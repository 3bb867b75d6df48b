"""The key ring in memory: secrets of workers, public keys of readers, and what it remembers of keys that are gone."""

from dataclasses import dataclass, field
from hashlib import blake2b

from schemas.errors import KeyUnavailable
from transforms.core.keys.documents import check_month
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.lost import Lost, NotProven
from transforms.core.keys.pseudonyms import derive_key
from transforms.core.keys.readers import Reader, Readers, own_readers
from transforms.core.keys.retired import RetiredKey
from transforms.core.keys.roles import OPERATORS, holder_of
from transforms.core.keys.seal import generate_key_pair, generate_secret
from transforms.core.keys.signing import Signer
from transforms.core.keys.wrapping import Envelope

SIGNING = "signing"
"""The place of the signing key among a ring's entries."""


@dataclass(repr=False)
class KeyRing(InProcess):
    """Secrets by purpose, epoch secrets by month, readers by role and name.

    `edition` grows with each time that the ring is written; a ring of version 1 has edition 0 and no signing key.
    `retired` are the signing keys of before, the oldest first. Months in `destroying` have lost their epoch secret, and
    their private keys are being removed from the holders. Of months in `destroyed` that are also in `not_proven`, some
    holders' key files were declared lost: that is in `lost`.
    """

    correlation: bytes
    transport: bytes
    epochs: dict[str, bytes] = field(default_factory=dict)
    destroyed: list[str] = field(default_factory=list)
    destroying: list[str] = field(default_factory=list)
    readers: Readers = field(default_factory=own_readers)
    signing: bytes | None = None
    retired: list[RetiredKey] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    not_proven: NotProven = field(default_factory=dict)
    edition: int = 0
    envelope: Envelope | None = field(default=None, compare=False)

    @property
    def check_value(self) -> str:
        """16 hex digits that tell rings apart and tell nothing else."""
        return derive_key(self.correlation, "check")[:8].hex()

    @property
    def gone(self) -> frozenset[str]:
        """Months under which nothing is written any more: destroyed, or being destroyed."""
        return frozenset((*self.destroyed, *self.destroying))

    @property
    def signer(self) -> Signer | None:
        """What signs; None of a ring of version 1."""
        return None if self.signing is None else Signer(self.signing, (key.public_key for key in self.retired))

    def public_key_of(self, role: str, reader: str, month: str) -> bytes | None:
        """The public half of a holder's key of a month, also where the month is gone and nobody has shown her key."""
        known = self.readers.get(role, {}).get(reader)
        held = known.public_keys.get(month) if known else None
        return held or self.not_proven.get(month, {}).get(holder_of(role, reader))

    def declared_lost(self, holder: str, month: str) -> Lost | None:
        """The latest declaration that this holder's key of the month is lost; None where there is none."""
        found = [lost for lost in self.lost if lost.holder == holder and month in lost.months]
        return found[-1] if found else None

    def doubts(self, month: str) -> list[Lost]:
        """Why it is not proven that a month's keys are gone."""
        found = (self.declared_lost(holder, month) for holder in self.not_proven.get(month, ()))
        return [lost for lost in found if lost is not None]

    @property
    def public_keys(self) -> dict[str, dict[str, dict[str, bytes]]]:
        """Role -> reader -> key id -> public key."""
        return {
            role: {name: reader.public_keys for name, reader in named.items()} for role, named in self.readers.items()
        }

    @property
    def entries(self) -> dict[str, bytes]:
        """Every key by the place where it stands in the ring; a reader who bears the role's name is not named."""
        return {
            "correlation": self.correlation,
            "transport": self.transport,
            **({} if self.signing is None else {SIGNING: self.signing}),
            **{f"epochs.{month}": key for month, key in self.epochs.items()},
            **self._public_entries,
        }

    @property
    def _public_entries(self) -> dict[str, bytes]:
        return {
            f"public_keys.{holder_of(role, name).replace('/', '.')}.{key_id}": key
            for role, named in self.public_keys.items()
            for name, keys in named.items()
            for key_id, key in keys.items()
        }

    @property
    def entry_checks(self) -> dict[str, str]:
        """16 hex digits for each key, which tell that it is the same one and nothing else."""
        secret = derive_key(self.correlation, "entries")
        return {
            place: blake2b(place.encode() + b"\0" + key, key=secret, digest_size=8).hexdigest()
            for place, key in self.entries.items()
        }

    def gave_up(self, place: str) -> bool:
        """Whether the key of an entry may be missing: its month was destroyed, or its reader removed before it."""
        kind, _, named = place.partition(".")
        holder, _, month = named.rpartition(".")
        role, _, reader = holder.partition(".")
        known = self.readers.get(role, {}).get(reader or role) if kind == "public_keys" else None
        return month in self.gone or (known is not None and known.until is not None and known.until <= month)

    def add_month(self, month: str) -> dict[str, bytes]:
        """Adds a month's epoch secret and its readers' keys; returns the new private keys by holder.

        Raises KeyUnavailable where a role would have no reader in the month.
        """
        check_month(month)
        reading = [
            (holder_of(role, name), reader)
            for role, named in self.readers.items()
            if role != OPERATORS
            for name, reader in _reading(role, named, month)
        ]
        self.epochs[month] = generate_secret()
        made = {}
        for holder, reader in reading:
            made[holder], reader.public_keys[month] = generate_key_pair()
        return made


def _reading(role: str, named: dict[str, Reader], month: str) -> list[tuple[str, Reader]]:
    reading = [(name, reader) for name, reader in named.items() if reader.reads(month)]
    if not reading:
        raise KeyUnavailable(f"role {role} has no reader in {month}: nobody could read what is sealed")
    return reading
