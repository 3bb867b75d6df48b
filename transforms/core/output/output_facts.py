"""What an output keeps of its first run on: its buckets, and check values of every key that it was written with.

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

_VERSION = 2


class _Kept(msgspec.Struct):
    version: int
    buckets: int
    key_ring: str
    entries: dict[str, str] = {}  # version 1 had none


_decode = msgspec.json.Decoder(_Kept).decode


def check_output(output: Output, buckets: int, ring: KeyRing) -> None:
    """Raises InvalidOptions where the output was begun with other buckets, or written with another key ring."""
    kept = _kept(output)
    if kept is None:
        return
    if kept.buckets != buckets:
        raise InvalidOptions(
            f"--buckets {buckets}: {output} was begun with {kept.buckets}; use --buckets {kept.buckets}"
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


def begin_output(output: Output, buckets: int, ring: KeyRing) -> None:
    """Writes what the output keeps, where it is new or the ring has keys that it does not know yet."""
    kept = _kept(output)
    entries = {**(kept.entries if kept else {}), **ring.entry_checks}
    if kept is None or kept.version < _VERSION or kept.entries != entries:
        facts = {"version": _VERSION, "buckets": buckets, "key_ring": ring.check_value, "entries": entries}
        storage.write_atomic(output.beside(OUTPUT_FILE), (json.dumps(facts) + "\n").encode())


def _kept(output: Output) -> _Kept | None:
    """None where the output is new."""
    path = output.beside(OUTPUT_FILE)
    if not storage.exists(path):
        return None
    try:
        kept = _decode(storage.read_bytes(path))
    except msgspec.MsgspecError:
        raise StorageRefused(
            f"{path} is damaged; bring it back, or remove it and run with the same --buckets and --key_ring as before"
        ) from None
    if not 1 <= kept.version <= _VERSION:
        raise StorageRefused(f"{path} is of version {kept.version}; this program reads up to {_VERSION}")
    return kept
