"""The folders that an input stands for: what a record and lineage name instead of thousands of files."""

import glob
from collections.abc import Iterable

from pipelines.recording.record import Place
from schemas.locations import shown_path
from transforms.core import storage
from transforms.core.output.input_list import InputList


def places_of(listed: InputList, patterns: Iterable[str]) -> list[Place]:
    """Files and bytes by the place that they belong to, sorted by its path."""
    roots = _roots(patterns)
    places: dict[str, Place] = {}
    for file in listed.files:
        path = _place(file.path, roots)
        place = places.setdefault(path, Place(path))
        place.files += 1
        place.bytes += file.size_bytes
    return [places[path] for path in sorted(places)]


def add_payloads(places: list[Place], patterns: Iterable[str], payloads: dict[str, int]) -> None:
    """Says of each place how many payloads were read of its files; `payloads` is by path."""
    roots = _roots(patterns)
    by_path = {place.path: place for place in places}
    for file, count in payloads.items():
        place = by_path[_place(file, roots)]
        place.payloads = (place.payloads or 0) + count


def _roots(patterns: Iterable[str]) -> list[str]:
    """What stands fast of each input: a folder or file as it is, of a glob the part before its first open name."""
    return [shown_path(storage.absolute(_fixed(pattern)).rstrip("/")) for pattern in patterns]


def _fixed(pattern: str) -> str:
    parts = pattern.split("/")
    first = next((number for number, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return "/".join(parts[:first]) or ("/" if pattern.startswith("/") else ".")


def _place(path: str, roots: Iterable[str]) -> str:
    """The longest of the roots in which the file lies, else its folder: a name may lead elsewhere."""
    around = [root for root in roots if path == root or path.startswith(f"{root}/")]
    return max(around, key=len, default=path.rpartition("/")[0])
