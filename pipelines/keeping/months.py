"""Months of keys: a ring is made with some, and extended before they are over."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from pipelines.keeping.files import (
    PRIVATE_FOLDER,
    create_file,
    load_holder,
    private_path,
    ring_path,
    write_holder,
    write_ring,
)
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys, dump_private
from transforms.core.keys.roles import OPERATORS, STANDING, holder_of
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.signing import Signer
from transforms.core.keys.wrapping import new_envelope
from transforms.core.storage.secret_files import check_folder

MONTHS_AHEAD = 12
"""What `rotate` makes; a ring of a year is extended once a year, or every month without harm."""

WARN_BEFORE = timedelta(days=7)

_MOST_ADDED = 1200
"""Months; of ten times as many the ring would be larger than what is read of it."""


def create(folder: str, start: str, months: int, wrapping_key: str | None = None) -> None:
    """Makes a ring for so many months from `start` on; refuses a folder that has one, or where others may write."""
    path = ring_path(folder)
    if storage.exists(path):
        raise InvalidOptions(f"--output {folder}: there is a key ring already; rotate adds months to it")
    if storage.is_local(folder):
        check_folder(storage.local_path(folder), "key ring")
    ring, operators = keyring.create()
    held = {role: _new_holder(ring, role) for role in ring.readers}
    held[OPERATORS].keys[STANDING] = operators
    for month in months_from(start, months):
        for holder, key in ring.add_month(month).items():
            held[holder].keys[month] = key
    for holder, keys in held.items():
        keys.envelope = new_envelope(wrapping_key) if wrapping_key else None
        create_file(private_path(storage.join(folder, PRIVATE_FOLDER), holder), dump_private(keys))
    ring.envelope = new_envelope(wrapping_key) if wrapping_key else None
    create_file(path, keyring.dumps(ring))


def _new_holder(ring: KeyRing, role: str) -> PrivateKeys:
    keys = PrivateKeys(role, {}, receipt_key=generate_secret())
    ring.readers[role][role].receipt_key = Signer(keys.receipt_key or b"").public_key
    return keys


def rotate(folder: str, private_folder: str, through: str) -> list[str]:
    """Adds every month that is missing up to `through`; returns them.

    A month before the ring's first is added by itself with what lies between. Months whose key was destroyed stay
    destroyed. The new private keys of a holder whose file is not in the folder of private keys stand in a new file
    there. Files of holders are written first: of a run that was killed, the same command makes the months anew.
    """
    ring = keyring.load(folder)
    missing = _missing(ring, through)
    held = {h: k for h in _holders(ring) if (k := _held(private_folder, h))}
    changed = _lift(ring, held)
    for month in missing:
        for holder, key in ring.add_month(month).items():
            keys = held.setdefault(holder, _partial(ring, holder))
            keys.keys[month] = key
            changed.add(holder)
    for holder in sorted(changed):
        write_holder(private_path(private_folder, holder), held[holder])
    write_ring(folder, ring)
    return missing


def _missing(ring: KeyRing, through: str) -> list[str]:
    have = sorted({*ring.epochs, *ring.gone})
    first, last = min([*have, through]), max([*have, through])
    span = distance(first, last) + 1
    if span - len(have) > _MOST_ADDED:
        raise InvalidOptions(
            f"--through {through}: {span - len(have)} months more than the ring has; allowed are {_MOST_ADDED} at once"
        )
    return [month for month in months_from(first, span) if month not in have]


def _holders(ring: KeyRing) -> list[str]:
    return [holder_of(role, name) for role, named in ring.readers.items() if role != OPERATORS for name in named]


def _held(private_folder: str, holder: str) -> PrivateKeys | None:
    path = private_path(private_folder, holder)
    return load_holder(path, holder) if storage.exists(path) else None


def _partial(ring: KeyRing, holder: str) -> PrivateKeys:
    """A file for new months alone, which `keys merge` adds to the holder's own; as the ring, wrapped or not."""
    role, _, reader = holder.partition("/")
    return PrivateKeys(role, {}, reader or role, envelope=ring.envelope)


def _lift(ring: KeyRing, held: dict[str, PrivateKeys]) -> set[str]:
    """Files that came from version 1 are given a key that signs receipts, and the ring its public half."""
    lifted = set()
    for holder, keys in held.items():
        reader = ring.readers[keys.role][keys.reader]
        if reader.receipt_key is None:
            keys.receipt_key = keys.receipt_key or generate_secret()
            reader.receipt_key = Signer(keys.receipt_key).public_key
            lifted.add(holder)
    return lifted


def months_warning(ring: KeyRing, key_ring: str, now: datetime) -> str | None:
    """A line where the ring's last month ends within a week; None else, also where it ended long ago: events of that
    time may be what a run reads.
    """
    if not ring.epochs:
        return None
    last = max(ring.epochs)
    end = datetime.combine(date.fromisoformat(f"{months_from(last, 2)[1]}-01"), datetime.min.time(), UTC)
    if not end - WARN_BEFORE <= now < end:
        return None
    return (
        f"warning: the key ring has no month after {last}, and events received from {end:%Y-%m-%d} on will be put "
        f"aside: {_command(key_ring)}"
    )


def check_days(ring: KeyRing, key_ring: str, days: Iterable[date]) -> None:
    """Raises InvalidOptions where a run is asked for a day in whose month nothing can land."""
    for day in days:
        month = f"{day:%Y-%m}"
        if month in ring.gone:
            raise InvalidOptions(f"--received_date {day}: the keys of {month} are gone, and nothing can land")
        if month not in ring.epochs:
            have = spans([*ring.epochs])
            raise InvalidOptions(
                f"--received_date {day}: the key ring has {have}: {_command(key_ring)} --through {month}"
            )


def _command(key_ring: str) -> str:
    return f"python -m pipelines.keys rotate --key_ring {key_ring}"


def months_from(start: str, count: int) -> list[str]:
    """So many months, the first one included."""
    year, month = (int(part) for part in start.split("-"))
    numbers = range(year * 12 + month - 1, year * 12 + month - 1 + count)
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in numbers]


def distance(first: str, last: str) -> int:
    """Months from the first to the last."""
    a, b = (date.fromisoformat(f"{m}-01") for m in (first, last))
    return (b.year - a.year) * 12 + b.month - a.month


def relative_month(offset: int) -> str:
    """The month in UTC that is so many after this one."""
    now = datetime.now(UTC)
    number = now.year * 12 + now.month - 1 + offset
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def spans(months: list[str]) -> str:
    """Months in words, what lies between two left out: `2026-01 to 2026-03, 2026-05`."""
    runs: list[list[str]] = []
    for month in sorted(months):
        if runs and distance(runs[-1][-1], month) == 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs) or "no months"
