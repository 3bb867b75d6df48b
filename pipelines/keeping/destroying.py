"""A month's keys are destroyed: in the ring, and with everybody who holds one; nothing is said before all is done.

Each holder must be accounted for: by the file that holds the private key which fits the ring's public one, or by a
receipt that she signed. Where her file was declared lost the rest is done, and the ring remembers that of her key
nothing is proven; when the file turns up, the same command with it proves it. The ring is written first, so that jobs
stop at once to use the month, then each file, and at the very end the ring again. A run that was killed is finished by
the same command: what it cleared already bears the holder's signature.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipelines.keeping.files import holder_names, private_path, sweep_beside, write_holder, write_ring
from pipelines.keeping.months import spans
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.lost import Lost
from transforms.core.keys.private_keys import PrivateKeys, load_private
from transforms.core.keys.receipts import Receipt, is_signed, read_receipt, sign_forgotten
from transforms.core.keys.roles import OPERATORS, holder_of
from transforms.core.keys.seal import generate_secret, public_half
from transforms.core.keys.signing import Signer


@dataclass
class Plan:
    """What is to be done: files that hold the month's key, and how each other holder is accounted for, or is not."""

    month: str
    files: list[tuple[str, PrivateKeys]] = field(default_factory=list)
    signed: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


def plan_of(ring: KeyRing, month: str, files: Iterable[str], receipts: Iterable[str]) -> Plan:
    """Raises InvalidOptions where the ring has no such month, or a receipt is not one of these keys."""
    if month not in ring.epochs and month not in ring.destroying and month not in ring.not_proven:
        raise InvalidOptions(f"--month {month}: the ring has {spans([*ring.epochs])}")
    plan = Plan(month)
    for path in dict.fromkeys(map(storage.absolute, files)):
        _account(ring, plan, path, load_private(path))
    for path in receipts:
        _account_receipt(ring, plan, path)
    accounted = {keys.holder for _, keys in plan.files} | plan.signed
    left = [holder for holder in _holding(ring, month) if holder not in accounted]
    plan.lost = [lost for holder in left if (lost := ring.declared_lost(holder, month))]
    plan.missing = [holder for holder in left if ring.declared_lost(holder, month) is None]
    return plan


def files_in(ring: KeyRing, private_folder: str) -> list[str]:
    """The holders' files that lie in a folder of private keys."""
    paths = [private_path(private_folder, holder) for holder in holder_names(ring)]
    return [path for path in paths if storage.exists(path)]


def destroy(folder: str, plan: Plan) -> None:
    """Does it; raises InvalidOptions, and does nothing, where a holder is not accounted for."""
    refuse_missing(plan)
    ring, month = keyring.load(folder), plan.month
    sweep_beside([storage.join(folder, keyring.RING_FILE), *(path for path, _ in plan.files)])
    receipt_keys = _receipt_keys(ring, plan)
    if month in ring.epochs:
        del ring.epochs[month]
        ring.destroying.append(month)
    write_ring(folder, ring)
    for path, keys in plan.files:
        keys.receipt_key = receipt_keys[keys.holder]
        keys.forgotten[month] = sign_forgotten(keys, month, keys.receipt_key)
        del keys.keys[month]
        write_holder(path, keys)
    _end(ring, plan)
    write_ring(folder, ring)


def _end(ring: KeyRing, plan: Plan) -> None:
    """The ring forgets the month's public keys, but for those of which nothing is proven."""
    month = plan.month
    doubtful = {lost.holder: key for lost in plan.lost if (key := _public_key(ring, lost.holder, month))}
    for named in ring.readers.values():
        for reader in named.values():
            reader.public_keys.pop(month, None)
    if month in ring.destroying:
        ring.destroying.remove(month)
        ring.destroyed.append(month)
    ring.not_proven.pop(month, None)
    if doubtful:
        ring.not_proven[month] = doubtful


def refuse_missing(plan: Plan) -> None:
    """Raises InvalidOptions that names every holder who is not accounted for."""
    if plan.missing:
        raise InvalidOptions(
            f"--month {plan.month}: nothing was destroyed, as {', '.join(plan.missing)} may still hold a key of it: "
            "give the key file of each (--holder FILE, --private DIR), or a receipt (--receipt FILE, from `keys "
            "forget`), or declare the file lost (`keys declare_lost`)"
        )


def _holding(ring: KeyRing, month: str) -> list[str]:
    holders = [holder_of(role, name) for role, named in ring.readers.items() if role != OPERATORS for name in named]
    return [holder for holder in holders if _public_key(ring, holder, month)]


def _public_key(ring: KeyRing, holder: str, month: str) -> bytes | None:
    role, _, reader = holder.partition("/")
    return ring.public_key_of(role, reader or role, month)


def _account(ring: KeyRing, plan: Plan, path: str, keys: PrivateKeys) -> None:
    """By the private key itself, or by the holder's signature where it was cleared from this file already."""
    month, public_key = plan.month, _public_key(ring, keys.holder, plan.month)
    if public_key is None:
        return
    if month in keys.keys and public_half(keys.keys[month]) == public_key:
        plan.files.append((path, keys))
    elif month in keys.forgotten and is_signed(ring, Receipt(keys.role, keys.reader, month, keys.forgotten[month])):
        plan.signed.add(keys.holder)


def _account_receipt(ring: KeyRing, plan: Plan, path: str) -> None:
    receipt = read_receipt(path)
    if receipt.month != plan.month:
        raise InvalidOptions(f"--receipt {path}: it is of {receipt.month}, not of {plan.month}")
    if not is_signed(ring, receipt):
        raise InvalidOptions(f"--receipt {path}: no holder of this key ring signed it")
    plan.signed.add(receipt.holder)


def _receipt_keys(ring: KeyRing, plan: Plan) -> dict[str, bytes]:
    """The key that signs for each holder whose file is cleared; the ring learns its public half where it has none.

    Who shows the month's private key is the holder, whatever the ring knew of her receipts before.
    """
    keys: dict[str, bytes] = {}
    for _, held in plan.files:
        reader = ring.readers[held.role][held.reader]
        known = keys.get(held.holder)
        if known is None or (held.receipt_key and Signer(held.receipt_key).public_key == reader.receipt_key):
            keys[held.holder] = held.receipt_key or known or generate_secret()
    for holder, key in keys.items():
        role, _, name = holder.partition("/")
        ring.readers[role][name or role].receipt_key = Signer(key).public_key
    return keys
