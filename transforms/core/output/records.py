"""Small files of an output that say what was done to landed rows: JSON of one kind and of one version."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from schemas.errors import StorageRefused
from transforms.core import storage


class _Versioned(Protocol):
    version: int


R = TypeVar("R", bound=_Versioned)


def read_record(path: str, kind: type[R], version: int, is_sound: Callable[[R], bool] = lambda _: True) -> R:
    """The record in a file that is there; raises StorageRefused where it is damaged or of another version.

    What is not sound is damaged, too.
    """
    try:
        found = msgspec.json.decode(storage.read_bytes(path), type=kind)
        is_damaged = not is_sound(found)
    except msgspec.MsgspecError:
        is_damaged = True
    if is_damaged:
        raise StorageRefused(f"{path} is damaged; bring it back from a backup")
    if found.version != version:
        raise StorageRefused(f"{path} is of version {found.version}; this program reads version {version}")
    return found
