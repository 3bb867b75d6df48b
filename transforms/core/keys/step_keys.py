"""What each step may know of the key ring: a narrow part, derived where it can be, and frozen.

No step holds a secret as it stands in `ring.json`. What a step derives nothing else from is derived for it here, so
that its part opens, seals or pseudonymizes what the step works on and nothing else.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from schemas.errors import KeyUnavailable
from transforms.core.keys.in_process import InProcess
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.pseudonym_columns import ColumnPseudonymizer
from transforms.core.keys.pseudonyms import (
    CORRELATION_DOMAINS,
    PERSON_DOMAINS,
    derive_key,
    domain_key,
    landing_key,
    sent_key,
)
from transforms.core.keys.readers import Reader
from transforms.core.keys.recipients import seal_to_holders
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING, holder_of, role_context
from transforms.core.keys.seal import PieceSealer, seal_to
from transforms.core.keys.signing import Signer


@dataclass(frozen=True, repr=False, eq=False)
class PseudonymKeys(InProcess):
    """What ProtectEvents needs: the key of buckets, and each domain's key, of persons' domains by month.

    `unsent_keys` are those of ids without their sender, as older versions made them.
    """

    bucket_key: bytes
    sent_keys: Mapping[str, bytes]
    unsent_keys: Mapping[str, bytes]
    person_keys: Mapping[str, Mapping[str, bytes]]
    destroyed: frozenset[str]

    def pseudonymizer(self, domain: str, month: str) -> ColumnPseudonymizer:
        """The pseudonymizer of a person's domain in a month.

        Raises KeyUnavailable, saying what to do, where the ring has no key for the month.
        """
        return ColumnPseudonymizer(self._of_month(month)[domain], remembers=True)

    def id_pseudonymizer(self, domain: str, *, has_sender: bool = True) -> ColumnPseudonymizer:
        """The pseudonymizer of a correlation domain: of what `sent_ids` gives, or of ids without their sender."""
        keys = self.sent_keys if has_sender else self.unsent_keys
        return ColumnPseudonymizer(keys[domain], remembers=domain != "event")

    def has(self, month: str) -> bool:
        """Whether the ring has the key of the month."""
        return month in self.person_keys

    def bucketer(self) -> ColumnPseudonymizer:
        """What stands for a sender; the same in every month, or a person's events would part."""
        return ColumnPseudonymizer(self.bucket_key, remembers=True)

    def _of_month(self, month: str) -> Mapping[str, bytes]:
        if month in self.person_keys:
            return self.person_keys[month]
        if month in self.destroyed:
            raise KeyUnavailable(
                f"the key of epoch {month} is gone from the key ring: events received then cannot land"
            )
        known = f"{min(self.person_keys)} to {max(self.person_keys)}" if self.person_keys else "none"
        raise KeyUnavailable(
            f"no key for epoch {month} (the ring has {known}): "
            f"python -m pipelines.keys rotate --key_ring DIR --through {month}"
        )


@dataclass(frozen=True, repr=False, eq=False)
class LandingKeys(InProcess):
    """What CurateEvents and WriteDatasets need: how ids and slots in files differ from those in memory.

    `id_keys` are by month and correlation domain; `slot_key` is the same in every month, because a row's slot is
    asked for after its month is gone. With them nobody makes a pseudonym of a text.
    """

    id_keys: Mapping[str, Mapping[str, bytes]]
    slot_key: bytes


@dataclass(frozen=True, repr=False, eq=False)
class RoleKeys(InProcess):
    """Readers' public keys, which seal and cannot open: WriteDatasets has those of the roles that read code.

    Role -> key id -> reader's name -> public key: only of readers who are sealed to under the key id.
    """

    public_keys: Mapping[str, Mapping[str, Mapping[str, bytes]]]

    def check(self, role: str, key_id: str) -> None:
        """Raises KeyUnavailable where the role has no key of that id."""
        if not self.public_keys.get(role, {}).get(key_id):
            raise KeyUnavailable(f"no public key of role {role} for {key_id} in the key ring")

    def holders(self, role: str, key_id: str) -> list[str]:
        """Who can open what is sealed to the role under a key id; raises KeyUnavailable where nobody can."""
        self.check(role, key_id)
        return [holder_of(role, reader) for reader in self.public_keys[role][key_id]]

    def seal(self, role: str, key_id: str, plain: bytes, holder: str | None = None, place: str = "") -> bytes:
        """Seals to one holder's key, else to that of the reader who bears the role's name; bound to holder and key id,
        and to a file's place where one is given.

        Raises KeyUnavailable where there is none.
        """
        self.check(role, key_id)
        name = holder or role
        reader = name.rpartition("/")[2]
        if reader not in self.public_keys[role][key_id]:
            raise KeyUnavailable(f"no public key of {name} for {key_id} in the key ring")
        return seal_to(self.public_keys[role][key_id][reader], plain, role_context(name, key_id, place))


@dataclass(frozen=True, repr=False, eq=False)
class QuarantineKeys(InProcess):
    """What putting payloads aside needs: the key of payload_id, the operators' public key, which months have keys."""

    payload_key: bytes
    epochs: frozenset[str]
    destroyed: frozenset[str]
    operators: RoleKeys

    def seal(self, body: bytes) -> bytes:
        """Seals a payload to each operator's key, whose id is STANDING."""
        if self.operators.holders(OPERATORS, STANDING) == [OPERATORS]:
            return self.operators.seal(OPERATORS, STANDING, body)
        named = self.operators.public_keys[OPERATORS][STANDING]
        return seal_to_holders({holder_of(OPERATORS, name): key for name, key in named.items()}, STANDING, body)


class SigningKeys(NamedTuple):
    """What signs for an output, and what tells rows that a worker with the same ring wrote."""

    signer: Signer
    proof: RowProof


@dataclass(frozen=True, repr=False, eq=False)
class StepKeys(InProcess):
    """The parts of one ring, one for each need."""

    pseudonyms: PseudonymKeys
    quarantine: QuarantineKeys
    roles: RoleKeys
    landing: LandingKeys
    piece_key: bytes
    erased_key: bytes
    signer: Signer | None
    row_proof: RowProof

    def sealer(self) -> PieceSealer:
        """Seals and opens pieces in flight; one for each step, as its compressor is not shared between threads."""
        return PieceSealer(self.piece_key)

    @property
    def signing(self) -> SigningKeys | None:
        """None where the ring is of version 1, which cannot sign."""
        return None if self.signer is None else SigningKeys(self.signer, self.row_proof)


def step_keys_of(ring: KeyRing) -> StepKeys:
    """A ring's parts. About 0.01 ms for each month and domain; 72 months: 4 ms."""
    return StepKeys(
        pseudonyms=PseudonymKeys(
            bucket_key=domain_key(derive_key(ring.correlation, "bucket"), "installation"),
            sent_keys=_keys_by_domain(sent_key, ring.correlation, CORRELATION_DOMAINS),
            unsent_keys=_keys_by_domain(domain_key, ring.correlation, CORRELATION_DOMAINS),
            person_keys=MappingProxyType(
                {month: _keys_by_domain(domain_key, secret, PERSON_DOMAINS) for month, secret in ring.epochs.items()}
            ),
            destroyed=ring.gone,
        ),
        quarantine=QuarantineKeys(
            payload_key=derive_key(ring.correlation, "payload"),
            epochs=frozenset(ring.epochs),
            destroyed=ring.gone,
            operators=_role_keys(ring, (OPERATORS,)),
        ),
        roles=_role_keys(ring, [role for role in ROLES if role != OPERATORS]),
        landing=LandingKeys(
            id_keys=MappingProxyType(
                {
                    month: _keys_by_domain(landing_key, secret, CORRELATION_DOMAINS)
                    for month, secret in ring.epochs.items()
                }
            ),
            slot_key=derive_key(ring.correlation, "slot"),
        ),
        piece_key=derive_key(ring.transport, "pieces"),
        erased_key=derive_key(ring.correlation, "erased"),
        signer=ring.signer,
        row_proof=RowProof(derive_key(ring.transport, "rows")),
    )


def _keys_by_domain(
    key_of: Callable[[bytes, str], bytes], secret: bytes, domains: Collection[str]
) -> Mapping[str, bytes]:
    return MappingProxyType({domain: key_of(secret, domain) for domain in domains})


def _role_keys(ring: KeyRing, roles: Collection[str]) -> RoleKeys:
    return RoleKeys(MappingProxyType({role: MappingProxyType(_by_key_id(ring.readers[role])) for role in roles}))


def _by_key_id(named: Mapping[str, Reader]) -> dict[str, Mapping[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for name, reader in named.items():
        for key_id, key in reader.public_keys.items():
            if reader.is_sealed_to(key_id):
                found.setdefault(key_id, {})[name] = key
    return {key_id: MappingProxyType(keys) for key_id, keys in found.items()}
