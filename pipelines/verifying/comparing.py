"""Holds what lies in an output against what must, and names each difference."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pipelines.verifying.expected import Expected
from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.chains.run_manifest import PutFile
from transforms.core.output.layout import Output, parse_name
from transforms.core.storage import Entry

_READERS, _REMOTE_READERS = 4, 32
_MOST_BYTES_TO_NAME = 1 << 30
"""A file of another size than it must have is read, too, up to this size: its digest may say what it is."""


@dataclass
class Compared:
    """What differs, a line each, and the files that are as they must be; `strange` are those that no manifest names."""

    problems: list[str] = field(default_factory=list)
    sound: set[str] = field(default_factory=set)
    strange: list[Entry] = field(default_factory=list)


def compare(
    output: Output, entries: Iterable[Entry], expected: Expected, *, reads: bool, told: Callable[[int], None]
) -> Compared:
    """Compares presence, kind and size, and where it `reads`, the digest of each file.

    `told` is called with the bytes of each file that was read. A file that is not as it must be is looked at once more:
    a job may have replaced it meanwhile.
    """
    compared = Compared()
    found = {entry.path: entry for entry in entries}
    compared.strange = [entry for path, entry in found.items() if path not in expected.files]
    compared.problems += _missing(output, expected, found)
    there = [(file, found[path]) for path, file in expected.files.items() if path in found]
    remote = not storage.is_local(output.path)
    with ThreadPoolExecutor(_REMOTE_READERS if remote else _READERS, "digests") as pool:
        digests = pool.map(lambda pair: _digest(output, pair[0], pair[1], reads=reads), there)
        wrong: dict[str, str] = {}
        for (file, entry), digest in zip(there, digests, strict=True):
            told(entry.size_bytes)
            if digest == file.sha256:
                compared.sound.add(file.path)
            else:
                wrong[file.path] = digest
    compared.problems += _altered(expected, found, wrong)
    return compared


def _digest(output: Output, file: PutFile, entry: Entry, *, reads: bool) -> str:
    """What the file is by its digest; that it must have where nothing is read. Empty where it cannot be told."""
    is_of_size = entry.kind == "file" and entry.size_bytes == file.size_bytes
    if entry.kind != "file" or (not is_of_size and entry.size_bytes > _MOST_BYTES_TO_NAME):
        return ""
    if is_of_size and not reads:
        return file.sha256
    try:
        return storage.file_digest(output.beside(file.path))
    except StorageUnavailable:
        return ""


def _missing(output: Output, expected: Expected, found: Mapping[str, Entry]) -> Iterator[str]:
    """By folder, where all of a folder is gone."""
    gone = [path for path in expected.files if path not in found and not storage.exists(output.beside(path))]
    by_folder, left = defaultdict(list), {path.rpartition("/")[0] for path in found}
    for path in gone:
        by_folder[path.rpartition("/")[0]].append(path)
    for folder, paths in sorted(by_folder.items()):
        if folder not in left and folder:
            by = expected.put_by[paths[0]]
            yield f"{folder}: gone with all of its {len(paths)} files, the first of which manifest {by} put"
        else:
            yield from (f"{path}: gone; manifest {expected.put_by[path]} put it there" for path in sorted(paths))


def _altered(expected: Expected, found: Mapping[str, Entry], wrong: Mapping[str, str]) -> Iterator[str]:
    owners = {file.sha256: path for path, file in expected.files.items() if path in wrong or path not in found}
    for path, digest in sorted(wrong.items()):
        yield f"{path}: {_what_it_is(expected, found[path], path, digest, owners)}"


def _what_it_is(expected: Expected, entry: Entry, path: str, digest: str, owners: Mapping[str, str]) -> str:
    by = expected.put_by[path]
    if entry.kind != "file":
        return f"{_shown_kind(entry)}, no file; manifest {by} put a file there"
    if digest in owners and owners[digest] != path:
        return f"swapped: it holds what {owners[digest]} must hold"
    for before, put_by in expected.replaced.get(path, ()):
        if before == digest:
            return f"rolled back: it is as manifest {put_by} put it, and manifest {by} replaced that"
    file = expected.files[path]
    if entry.size_bytes != file.size_bytes:
        return f"altered: it has {entry.size_bytes:,} bytes, manifest {by} put {file.size_bytes:,}"
    return f"altered: its content is not what manifest {by} put" if digest else "cannot be read"


def _shown_kind(entry: Entry) -> str:
    return "a link to elsewhere" if entry.kind == "link" else "a pipe or device"


def strange_lines(expected: Expected, strange: Iterable[Entry]) -> Iterator[str]:
    """A line for each file that is there and named by no manifest."""
    for entry in sorted(strange):
        path = entry.path
        if entry.kind != "file":
            yield f"{path}: {_shown_kind(entry)}, put there: no file of this system"
        elif path in expected.removed:
            yield f"{path}: is back, though manifest {expected.removed[path]} removed it"
        elif (name := parse_name(path.rpartition("/")[2])) is not None or path.startswith("_inputs/"):
            way = name.way_to_whole if name else "run that input again"
            yield f"{path}: no manifest names it; where its run was cut off, {way}, else somebody put it there"
        else:
            yield f"{path}: no manifest names it; somebody put it there"
