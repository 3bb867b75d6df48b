"""What an output keeps of its first run on: its slots, and check values of every key that it was written with.

`_output.json` tells that a key is the same one and nothing about the key. Months
may be added to a ring and destroyed; a key that changed under its name would
part people's pseudonyms, or let somebody else read the code.
"""

import json

import msgspec

from schemas.errors import InvalidOptions, StorageRefused
from transforms.core import storage
from transforms.core.keys.keyring import KeyRing
from transforms.core.output.layout import OUTPUT_FILE, Output

_VERSION = 3

LEAST_SLOTS = 16
"""Slots of a new output, unless its first run asks for more buckets. More slots tell more of who a person is from month
to month, and let later runs have more buckets."""


class _Kept(msgspec.Struct):
    version: int
    key_ring: str
    slots: int = 0
    buckets: int = 0  # what versions 1 and 2 had instead: each of their buckets is a slot
    entries: dict[str, str] = {}  # version 1 had none


_decode = msgspec.json.Decoder(_Kept).decode


def slots_of(output: Output) -> int | None:
    """Into how many slots an output puts people; None where it is new."""
    kept = _kept(output)
    return None if kept is None else kept.slots


def check_output(output: Output, buckets: int | None, ring: KeyRing) -> None:
    """Raises InvalidOptions where the output has not so many slots, or was written with another key ring."""
    kept = _kept(output)
    if kept is None:
        return
    if buckets is not None and buckets > kept.slots:
        raise InvalidOptions(
            f"--buckets {buckets}: {output} was begun with {kept.slots} slots for people, and a bucket needs one; use "
            f"--buckets {kept.slots} or less, or begin another --output"
        )
    if kept.key_ring != ring.check_value:
        raise InvalidOptions(
            f"--key_ring: {output} was begun with another key ring (check value {kept.key_ring}, this one's "
            f"is {ring.check_value}); its pseudonyms and buckets would not match"
        )
    now = ring.entry_checks
    for place, check in kept.entries.items():
        if place in now and now[place] != check:
            raise InvalidOptions(
                f"--key_ring: {place} is another key than the one that {output} was written with; bring back the key "
                "ring as it was, or write to a new --output"
            )
        if place not in now and place.rpartition(".")[2] not in ring.destroyed:
            raise InvalidOptions(
                f"--key_ring: {place}, with which {output} was written, is gone and was not destroyed by "
                "pipelines.keys; bring back the key ring as it was, or write to a new --output"
            )


def begin_output(output: Output, buckets: int, ring: KeyRing) -> int:
    """Writes what the output keeps, where it is new or the ring has keys that it does not know yet.

    Returns the number of its slots: those that it has, else enough for the buckets. What an older version's killed run
    left half written is removed.
    """
    kept = _kept(output)
    slots = max(buckets, LEAST_SLOTS) if kept is None else kept.slots
    entries = {**(kept.entries if kept else {}), **ring.entry_checks}
    if kept is not None and kept.version < _VERSION:
        storage.sweep(output.path)
    if kept is None or kept.version < _VERSION or kept.entries != entries:
        facts = {"version": _VERSION, "slots": slots, "key_ring": ring.check_value, "entries": entries}
        output.write(output.beside(OUTPUT_FILE), (json.dumps(facts) + "\n").encode())
    return slots


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
    kept.slots = kept.slots if kept.version == _VERSION else kept.buckets
    if not kept.slots:
        raise StorageRefused(
            f"{path} is damaged: it tells no slots; bring it back from a backup, or write to a new --output"
        )
    return kept
