"""What each step may know of the key ring: a narrow part, derived where it can be, and frozen.

No step holds a secret as it stands in `ring.json`. What a step derives nothing else from is derived for it here, so
that its part opens, seals or pseudonymizes what the step works on and nothing else.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from schemas.errors import KeyUnavailable
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.pseudonym_columns import ColumnPseudonymizer
from transforms.core.keys.pseudonyms import (
    CORRELATION_DOMAINS,
    PERSON_DOMAINS,
    derive_key,
    domain_key,
)
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING, role_context
from transforms.core.keys.seal import PieceSealer, seal_to


@dataclass(frozen=True, repr=False, eq=False)
class PseudonymKeys(InProcess):
    """What ProtectEvents needs: the key of buckets, and each domain's key, of persons' domains by month."""

    bucket_key: bytes
    correlation_keys: Mapping[str, bytes]
    person_keys: Mapping[str, Mapping[str, bytes]]
    destroyed: frozenset[str]

    def pseudonymizer(self, domain: str, month: str) -> ColumnPseudonymizer:
        """The pseudonymizer of a domain; the month matters to persons' domains only.

        Raises KeyUnavailable, saying what to do, where the ring has no key for the month.
        """
        keys = self._of_month(month) if domain in PERSON_DOMAINS else self.correlation_keys
        return ColumnPseudonymizer(keys[domain], remembers=domain != "event")

    def bucketer(self) -> ColumnPseudonymizer:
        """What buckets are chosen by; the same in every month, or a person's events would part."""
        return ColumnPseudonymizer(self.bucket_key, remembers=True)

    def _of_month(self, month: str) -> Mapping[str, bytes]:
        if month in self.person_keys:
            return self.person_keys[month]
        if month in self.destroyed:
            raise KeyUnavailable(f"the key of epoch {month} was destroyed: events received then cannot land")
        known = f"{min(self.person_keys)} to {max(self.person_keys)}" if self.person_keys else "none"
        raise KeyUnavailable(
            f"no key for epoch {month} (the ring has {known}): "
            f"python -m pipelines.keys rotate --key_ring DIR --through {month}"
        )


@dataclass(frozen=True, repr=False, eq=False)
class RoleKeys(InProcess):
    """Roles' public keys by key id, which seal and cannot open: WriteDatasets has those of the roles that read code."""

    public_keys: Mapping[str, Mapping[str, bytes]]

    def check(self, role: str, key_id: str) -> None:
        """Raises KeyUnavailable where the role has no key of that id."""
        if key_id not in self.public_keys.get(role, {}):
            raise KeyUnavailable(f"no public key of role {role} for {key_id} in the key ring")

    def seal(self, role: str, key_id: str, plain: bytes) -> bytes:
        """Seals to a role's key, bound to role and key id; raises KeyUnavailable where there is none."""
        self.check(role, key_id)
        return seal_to(self.public_keys[role][key_id], plain, role_context(role, key_id))


@dataclass(frozen=True, repr=False, eq=False)
class QuarantineKeys(InProcess):
    """What putting payloads aside needs: the key of payload_id, the operators' public key, which months have keys."""

    payload_key: bytes
    epochs: frozenset[str]
    destroyed: frozenset[str]
    operators: RoleKeys

    def seal(self, body: bytes) -> bytes:
        """Seals a payload to the operators' key, whose id is STANDING."""
        return self.operators.seal(OPERATORS, STANDING, body)


@dataclass(frozen=True, repr=False, eq=False)
class StepKeys(InProcess):
    """The parts of one ring, one for each need."""

    pseudonyms: PseudonymKeys
    quarantine: QuarantineKeys
    roles: RoleKeys
    piece_key: bytes

    def sealer(self) -> PieceSealer:
        """Seals and opens pieces in flight; one for each step, as its compressor is not shared between threads."""
        return PieceSealer(self.piece_key)


def step_keys_of(ring: KeyRing) -> StepKeys:
    """A ring's parts. About 0.01 ms for each month and domain; 72 months: 4 ms."""
    return StepKeys(
        pseudonyms=PseudonymKeys(
            bucket_key=domain_key(derive_key(ring.correlation, "bucket"), "installation"),
            correlation_keys=_domain_keys(ring.correlation, CORRELATION_DOMAINS),
            person_keys=MappingProxyType(
                {month: _domain_keys(secret, PERSON_DOMAINS) for month, secret in ring.epochs.items()}
            ),
            destroyed=frozenset(ring.destroyed),
        ),
        quarantine=QuarantineKeys(
            payload_key=derive_key(ring.correlation, "payload"),
            epochs=frozenset(ring.epochs),
            destroyed=frozenset(ring.destroyed),
            operators=_role_keys(ring, (OPERATORS,)),
        ),
        roles=_role_keys(ring, [role for role in ROLES if role != OPERATORS]),
        piece_key=derive_key(ring.transport, "pieces"),
    )


def _domain_keys(secret: bytes, domains: Collection[str]) -> Mapping[str, bytes]:
    return MappingProxyType({domain: domain_key(secret, domain) for domain in domains})


def _role_keys(ring: KeyRing, roles: Collection[str]) -> RoleKeys:
    return RoleKeys(MappingProxyType({role: MappingProxyType(dict(ring.public_keys[role])) for role in roles}))
