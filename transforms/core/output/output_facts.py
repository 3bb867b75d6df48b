"""What an output keeps of its first run on: its slots, check values of every key, and how new its key ring was.

`_output.json` tells that a key is the same one and nothing about the key. Months
may be added to a ring and destroyed; a key that changed under its name would
part people's pseudonyms, or let somebody else read the code. A ring's edition
only grows: an older copy of the ring, in which a destroyed month still has its
keys, is refused by every output that has seen a newer one.
"""

from collections.abc import Callable

import msgspec

from schemas.errors import InvalidOptions, StorageRefused
from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.carried import month_after
from transforms.core.keys import keyring
from transforms.core.keys.open_ring import open_signer
from transforms.core.keys.ring import SIGNING, KeyRing
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import LANDING_DATASETS, OUTPUT_FILE, Output

_VERSION = 5
_VERSION_OF_BUCKETS = 2
_VERSION_WITHOUT_HALF_FILES = 3

_NEVER = "9999-99"
"""Later than every month."""

LEAST_SLOTS = 16
"""Slots of a new output, unless its first run asks for more buckets. More slots tell more of who a person is from month
to month, and let later runs have more buckets."""


class _Kept(msgspec.Struct, omit_defaults=True):
    version: int
    key_ring: str
    slots: int = 0
    buckets: int = 0  # what versions 1 and 2 had instead: each of their buckets is a slot
    entries: dict[str, str] = {}  # version 1 had none
    landing_from: str | None = None  # versions 1 to 3 had none: ids had one key for good
    sender_from: str | None = None  # versions 1 to 4 had none: ids did not depend on who sent them
    edition: int = 0  # versions 1 to 3 had none, and knew nothing of destroyed months
    destroyed: list[str] = []
    not_proven: dict[str, list[str]] = {}  # why, by month; of these nobody has shown that all keys are gone


_decode = msgspec.json.Decoder(_Kept).decode


def slots_of(output: Output) -> int | None:
    """Into how many slots an output puts people; None where it is new."""
    kept = _kept(output)
    return None if kept is None else kept.slots


def landing_facts(output: Output) -> tuple[str, int]:
    """The first month, YYYY-MM, whose ids stand enciphered in files, empty where all do; and the number of slots.

    An older version's ids have one key for good. They keep it to the end of the last month in which that version wrote
    rows, so that ids of one month can be compared.
    """
    kept = _kept(output)
    if kept is None:
        return "", LEAST_SLOTS
    return _NEVER if kept.landing_from is None else kept.landing_from, kept.slots


def sender_from(output: Output) -> str:
    """The first month, YYYY-MM, in which ids of events and suggestions depend on their sender; empty where all do.

    An older version's ids do not. They stay so to the end of the last month in which that version wrote rows, so that
    copies of its events are known and ids of one month can be compared.
    """
    kept = _kept(output)
    if kept is None:
        return ""
    return _NEVER if kept.sender_from is None else kept.sender_from


def doubts_of(output: Output) -> list[str]:
    """A line for each month whose keys are gone as far as can be shown, and no further."""
    kept = _kept(output)
    return [
        f"it is not proven that the keys of {month} are destroyed: {'; '.join(why)}"
        for month, why in sorted(kept.not_proven.items() if kept else ())
    ]


def check_output(output: Output, buckets: int | None, ring: KeyRing) -> None:
    """Raises InvalidOptions where the output has not so many slots, or was written with another or a newer key ring."""
    kept = _kept(output)
    if kept is None:
        return
    if buckets is not None and buckets > kept.slots:
        raise InvalidOptions(
            f"--buckets {buckets}: {output} was begun with {kept.slots} slots for people, and a bucket needs one; use "
            f"--buckets {kept.slots} or less, or begin another --output"
        )
    _check_ring(output, kept, ring)


def signer_of(output: Output, key_ring: str | None) -> Signer | None:
    """What signs a change of an output; None where no key ring is given, or it is of version 1.

    Raises as `check_output` does: an older key ring, or that of another output, signs nothing.
    """
    if key_ring is None:
        return None
    check_output(output, None, keyring.load(key_ring))
    return open_signer(key_ring)


def _check_ring(output: Output, kept: _Kept, ring: KeyRing) -> None:
    if kept.key_ring != ring.check_value:
        raise InvalidOptions(
            f"--key_ring: {output} was begun with another key ring (check value {kept.key_ring}, this one's "
            f"is {ring.check_value}); its pseudonyms and buckets would not match"
        )
    if ring.edition < kept.edition:
        raise InvalidOptions(
            f"--key_ring: this is edition {ring.edition} of the key ring, and {output} has seen edition "
            f"{kept.edition}; bring back the newest ring.json, as an older one has keys that are gone since"
        )
    if back := sorted({*kept.destroyed} & {*ring.epochs}):
        raise InvalidOptions(
            f"--key_ring: the keys of {back[0]} are gone, as {output} knows, and this key ring has some again; "
            "bring back the newest ring.json"
        )
    _check_entries(output, kept, ring)


def _check_entries(output: Output, kept: _Kept, ring: KeyRing) -> None:
    now = ring.entry_checks
    for place, check in kept.entries.items():
        if place == SIGNING and ring.retired:
            continue  # it was renewed, and the chain of manifests knows which key it goes on with
        if place in now and now[place] != check:
            raise InvalidOptions(
                f"--key_ring: {place} is another key than the one that {output} was written with; bring back the key "
                "ring as it was, or write to a new --output"
            )
        if place not in now and not ring.gave_up(place):
            raise InvalidOptions(
                f"--key_ring: {place}, with which {output} was written, is gone, and not by "
                "pipelines.keys; bring back the key ring as it was, or write to a new --output"
            )


def begin_output(
    output: Output, buckets: int, ring: KeyRing, announce: Callable[[bytes], None] = lambda _: None
) -> int:
    """Writes what the output keeps, where it is new or the ring is newer, or has keys that it does not know yet.

    Returns the number of its slots: those that it has, else enough for the buckets. `announce` is told what the file
    will hold, or holds already, before anything is written. What an older version's killed run left half written is
    removed. Raises InvalidOptions where another run has seen a newer ring since `check_output`.
    """
    kept = _kept(output)
    if kept is not None:
        _check_ring(output, kept, ring)
        if kept.version < _VERSION_WITHOUT_HALF_FILES:
            storage.sweep(output.path)
    begun = kept or _Kept(version=0, key_ring=ring.check_value, slots=max(buckets, LEAST_SLOTS))
    new = _Kept(
        version=_VERSION,
        key_ring=begun.key_ring,
        slots=begun.slots,
        entries={**begun.entries, **ring.entry_checks},
        edition=ring.edition,
        landing_from=_month_of_change(output, kept, begun.landing_from),
        sender_from=_month_of_change(output, kept, begun.sender_from),
        destroyed=sorted({*begun.destroyed} | ring.gone),
        not_proven={month: [lost.fact for lost in ring.doubts(month)] for month in sorted(ring.not_proven)},
    )
    path, data = output.beside(OUTPUT_FILE), msgspec.json.encode(new) + b"\n"
    announce(data)
    if kept is None or storage.read_bytes(path) != data:
        output.write(path, data)
    return new.slots


def _month_of_change(output: Output, kept: _Kept | None, known: str | None) -> str:
    """From which month on something is as this version has it: what is known of it already, else, of what an older
    version began, the month after the latest in which it has rows; empty where it has none.
    """
    if kept is None or known is not None:
        return known or ""
    listing = output.listing()
    events = (name for name in LANDING_DATASETS if name != QUARANTINE)
    return month_after(max(days)) if (days := [day for name in events for day in listing.days(name)]) else ""


def _kept(output: Output) -> _Kept | None:
    """None where the output is new."""
    path = output.beside(OUTPUT_FILE)
    if not storage.exists(path):
        return None
    try:
        kept = _decode(storage.read_bytes(path))
    except msgspec.MsgspecError:
        raise StorageRefused(f"{path} is damaged; bring it back from a backup, or write to a new --output") from None
    if not 1 <= kept.version <= _VERSION:
        raise StorageRefused(f"{path} is of version {kept.version}; this program reads up to {_VERSION}")
    kept.slots, kept.buckets = (kept.slots if kept.version > _VERSION_OF_BUCKETS else kept.buckets), 0
    if not kept.slots:
        raise StorageRefused(
            f"{path} is damaged: it tells no slots; bring it back from a backup, or write to a new --output"
        )
    return kept
