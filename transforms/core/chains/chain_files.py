"""Where the manifests of a chain lie: `runs/manifests/<chain>/<thousand>/<number>.jsonl`.

A thousand to a folder, so that the last one of a stream's 105,000 a year is found with two listings.
"""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from transforms.core import storage
from transforms.core.keys.public_key import MOST_BYTES, key_line
from transforms.core.output.layout import CHAINS_FOLDER, PUBLIC_KEY_FILE, RUNS, Output

_SUFFIX = ".jsonl"
_IN_A_FOLDER = 1000
_READERS = 32
"""Manifests that are read at the same time from an object store, which answers each only after a while."""

_PATH = re.compile(rf"{RUNS}/{CHAINS_FOLDER}/([a-z_]+)/([0-9]{{6}})/([0-9]{{9}})\{_SUFFIX}")


def path_of(chain: str, number: int) -> str:
    """The path in an output of a chain's manifest; numbers begin with 1."""
    return f"{RUNS}/{CHAINS_FOLDER}/{chain}/{number // _IN_A_FOLDER:06d}/{number:09d}{_SUFFIX}"


def place_of(path: str) -> tuple[str, int] | None:
    """The chain and number of a manifest by its path in an output; None where the path is none of a manifest's."""
    if (found := _PATH.fullmatch(path)) is None:
        return None
    chain, number = found[1], int(found[3])
    return (chain, number) if path_of(chain, number) == path else None


def last_number(output: Output, chain: str) -> int:
    """The number of a chain's last manifest; 0 where it has none."""
    folder = output.beside(RUNS, CHAINS_FOLDER, chain)
    for thousand in reversed(storage.list_folders(folder)):
        found = [f"{RUNS}/{CHAINS_FOLDER}/{chain}/{thousand}/{name}"
                 for name in storage.list_files(storage.join(folder, thousand))]  # fmt: skip
        if numbers := [place[1] for place in map(place_of, found) if place]:
            return max(numbers)
    return 0


def read_each(output: Output, paths: Iterable[str]) -> Iterator[bytes]:
    """The bytes of files of an output, by their paths in it, in that order."""
    if storage.is_local(output.path):  # through fsspec and a thread each takes 0.14 ms more, of 105,120 a year
        for path in paths:
            with storage.opened_local(storage.local_path(output.beside(path))) as file:
                yield file.read()
        return
    with ThreadPoolExecutor(_READERS, "manifests") as pool:
        yield from pool.map(lambda path: storage.read_bytes(output.beside(path)), paths)


def put_key_beside(output: Output, key: bytes) -> None:
    """Writes the public key beside the datasets, where another one or none lies there."""
    path = output.beside(PUBLIC_KEY_FILE)
    if not storage.exists(path) or storage.read_start(path, MOST_BYTES) != key_line(key):
        output.write(path, key_line(key))
