"""Where key files lie, and how each is written: whole, for its owner alone, the ring with a new edition."""

from collections.abc import Iterable

from schemas.errors import InvalidOptions, KeyUnavailable
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys, dump_private, load_private
from transforms.core.keys.roles import holder_of
from transforms.core.storage.secret_files import readable_by_others

PRIVATE_FOLDER = "private"


def ring_path(folder: str) -> str:
    """The ring's file in its folder."""
    return storage.join(folder, keyring.RING_FILE)


def write_ring(folder: str, ring: KeyRing) -> None:
    """Replaces ring.json by the next edition; it keeps the mode that an operator gave it.

    Raises InvalidOptions where another command has written it since this ring was loaded: what that one added would be
    lost.
    """
    if keyring.load(folder).edition != ring.edition:
        raise InvalidOptions(f"{ring_path(folder)} was changed by another command meanwhile: run this one again")
    storage.write_private(ring_path(folder), keyring.dumps(keyring.next_edition(ring)), keeps_mode=True)


def private_path(folder: str, holder: str) -> str:
    """A holder's file in a folder of private keys: `completions.json`, `completions.alice.json`."""
    return storage.join(folder, f"{holder.replace('/', '.')}.json")


def holder_names(ring: KeyRing) -> list[str]:
    """Everybody who holds private keys, by role."""
    return [holder_of(role, name) for role, named in ring.readers.items() for name in named]


def load_holder(path: str, holder: str) -> PrivateKeys:
    """The holder's key file; raises KeyUnavailable where it is another's."""
    keys = load_private(path)
    if keys.holder != holder:
        raise KeyUnavailable(f"{path} is the key file of {keys.holder}, not of {holder}")
    return keys


def write_holder(path: str, keys: PrivateKeys) -> None:
    """Replaces a holder's key file; it keeps the mode that she gave it."""
    storage.write_private(path, dump_private(keys), keeps_mode=True)


def create_file(path: str, data: bytes) -> None:
    """Writes a key file where none is; raises InvalidOptions else."""
    if not storage.write_private(path, data, replaces=False):
        raise InvalidOptions(f"there is a key file already at {path}: it is not replaced; move it elsewhere first")


def reader_warnings(paths: Iterable[str]) -> list[str]:
    """A line for each file that every user of this machine may read."""
    return [line for path in paths if (line := readable_by_others(path))]


def sweep_beside(paths: Iterable[str]) -> None:
    """Removes what a killed run left half written in the folders of key files: it holds keys, too."""
    for folder in {path.rpartition("/")[0] or "." for path in map(storage.absolute, paths)}:
        storage.sweep(folder, deep=False)
