"""Readers of a role are added and removed; what was sealed before stays as it was sealed."""

from pipelines.keeping.files import create_file, load_holder, sweep_beside, write_holder, write_ring
from pipelines.keeping.months import months_from, relative_month, spans
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys, dump_private
from transforms.core.keys.readers import Reader
from transforms.core.keys.roles import OPERATORS, STANDING, holder_of
from transforms.core.keys.seal import generate_key_pair, generate_secret, public_half
from transforms.core.keys.signing import Signer
from transforms.core.keys.wrapping import new_envelope


def add_reader(
    folder: str, role: str, reader: str, since: str, path: str, wrapping_key: str | None = None
) -> list[str]:
    """Gives a reader keys of her own for the ring's months from `since` on, her private file at `path`.

    An operator has one key, for what is put aside from now on. Returns the key ids. The private file is written first:
    of a run that was killed, the same command goes on with it. Raises InvalidOptions where the role has such a reader,
    now or before.
    """
    ring = keyring.load(folder)
    _check_new(ring, role, reader)
    key_ids = [STANDING] if role == OPERATORS else sorted(month for month in ring.epochs if month >= since)
    if not key_ids:
        raise InvalidOptions(f"--since {since}: the ring has {spans([*ring.epochs])}; rotate makes more")
    sweep_beside([path])
    keys = _held(path, role, reader, wrapping_key)
    for key_id in key_ids:
        keys.keys.setdefault(key_id, generate_key_pair()[0])
    write_holder(path, keys)
    ring.readers[role][reader] = Reader(
        public_keys={key_id: public_half(keys.keys[key_id]) for key_id in key_ids},
        receipt_key=Signer(keys.receipt_key or b"").public_key,
        since=None if role == OPERATORS else since,
    )
    write_ring(folder, ring)
    return key_ids


def _check_new(ring: KeyRing, role: str, reader: str) -> None:
    known = ring.readers[role].get(reader)
    if known is not None and known.until is None:
        raise InvalidOptions(f"--reader {reader}: {role} has such a reader already")
    if known is not None:
        raise InvalidOptions(
            f"--reader {reader}: a reader of that name was removed from {known.until} on; take another name"
        )


def _held(path: str, role: str, reader: str, wrapping_key: str | None) -> PrivateKeys:
    if not storage.exists(path):
        envelope = new_envelope(wrapping_key) if wrapping_key else None
        keys = PrivateKeys(role, {}, reader, generate_secret(), envelope=envelope)
        create_file(path, dump_private(keys))
        return keys
    keys = load_holder(path, holder_of(role, reader))
    keys.receipt_key = keys.receipt_key or generate_secret()
    return keys


def remove_reader(folder: str, role: str, reader: str, until: str) -> None:
    """Seals nothing more to a reader from the month `until` on; what was sealed to her before she can still read.

    To an operator nothing more is sealed at once, whatever the month. Raises InvalidOptions where the role would have
    no reader, or the month is over already.
    """
    ring = keyring.load(folder)
    this_month = relative_month(0)
    if until < this_month:
        raise InvalidOptions(f"--from {until}: allowed is {this_month} or later, as what was written stays as it is")
    known = ring.readers[role].get(reader)
    if known is None or known.until is not None:
        raise InvalidOptions(f"--reader {reader}: readers of {role} are {', '.join(_reading(ring, role))}")
    known.until = until
    _check_left(ring, role, until)
    for month in [m for m in known.public_keys if role != OPERATORS and m >= until and m > this_month]:
        del known.public_keys[month]
    write_ring(folder, ring)


def _check_left(ring: KeyRing, role: str, until: str) -> None:
    months = [month for month in ring.epochs if month >= until] or [months_from(until, 1)[0]]
    key_ids = [STANDING] if role == OPERATORS else months
    if not all(any(r.is_sealed_to(key_id) for r in ring.readers[role].values()) for key_id in key_ids):
        raise InvalidOptions(
            f"--role {role}: nobody else reads it, and what nobody can read is not written; add another"
        )


def _reading(ring: KeyRing, role: str) -> list[str]:
    return [name for name, reader in ring.readers[role].items() if reader.until is None]


def readers_described(ring: KeyRing) -> list[str]:
    """A line for each reader of each role: which months she can read."""
    lines = []
    for role, named in ring.readers.items():
        for name, reader in named.items():
            if role == OPERATORS:
                told = "payloads in quarantine"
            else:
                told = spans([month for month in reader.public_keys if month not in ring.destroying])
            removed = "" if reader.until is None else f"; removed: nothing is sealed to it from {reader.until} on"
            lines.append(f"role {role}, reader {name}: {told}{removed}")
    return lines
