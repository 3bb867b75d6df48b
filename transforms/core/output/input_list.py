"""What a batch run was to read, written down before it begins; and whether the ledger says that it was read.

`_inputs/<input digest>.json` beside the datasets names each file with its size,
and the ranges that it was cut into. The same input gives the same bytes. It holds
no rows and no credentials, but paths as the operator has them.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.locations import shown_path
from transforms.core import storage
from transforms.core.output.layout import INPUTS_FOLDER, Output
from transforms.core.output.ledger import Mark, differences, imbalances
from transforms.core.ranges import Range

_SUFFIX = ".json"
_MOST_LINES = 5


@dataclass(frozen=True)
class ListedFile:
    """A file's path, as it may be shown, its size, and its ranges: digest, start and end."""

    path: str
    size_bytes: int
    ranges: tuple[tuple[str, int, int | None], ...]


@dataclass(frozen=True)
class InputList:
    """The files of one input, and into how many buckets its run puts people; None where an older version wrote it."""

    digest: str
    files: tuple[ListedFile, ...]
    buckets: int | None = None

    @property
    def ranges(self) -> set[str]:
        """The digests of all ranges."""
        return {digest for file in self.files for digest, _, _ in file.ranges}

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    def save(self, output: Output) -> None:
        """Writes the list."""
        files = [{"path": f.path, "size_bytes": f.size_bytes, "ranges": f.ranges} for f in self.files]
        data = json.dumps({"version": 1, "buckets": self.buckets, "files": files}, separators=(",", ":"))
        output.write(_path(output, self.digest), f"{data}\n".encode())

    def forget(self, output: Output) -> None:
        """Removes it: what it names is no more what it was."""
        storage.remove(_path(output, self.digest))


def list_input(digest: str, ranges: Sequence[Range], buckets: int) -> InputList:
    """The list of an input that was cut into these ranges."""
    by_file: dict[tuple[str, int], list[Range]] = defaultdict(list)
    for part in ranges:
        by_file[part.path, part.size_bytes].append(part)
    files = [ListedFile(shown_path(path), size_bytes, tuple((p.digest, p.start, p.end) for p in parts))
             for (path, size_bytes), parts in by_file.items()]  # fmt: skip
    return InputList(digest, tuple(files), buckets)


def was_read_before(output: Output, digest: str) -> bool:
    """Whether an earlier run may have begun to read this input; to be asked before its list is saved.

    Every run saves a list before it writes. An output without any is new, or of a version that had none.
    """
    return storage.exists(_path(output, digest)) or not storage.list_files(output.beside(INPUTS_FOLDER))


def saved_lists(output: Output) -> Iterator[InputList]:
    """Every list beside an output's datasets; an output of an older version has none."""
    for name in storage.list_files(output.beside(INPUTS_FOLDER)):
        yield _saved(output, name.removesuffix(_SUFFIX))


def buckets_before(output: Output, digest: str) -> int | None:
    """Into how many buckets an earlier run of an input put people; None where it did not say, or there was none."""
    listed = list_before(output, digest)
    return listed.buckets if listed else None


def list_before(output: Output, digest: str) -> InputList | None:
    """The list that a run of an input has saved; None where there is none."""
    return _saved(output, digest) if storage.exists(_path(output, digest)) else None


def is_list(data: bytes) -> bool:
    """Whether these bytes are a list as runs save it."""
    try:
        listed = _list_of("", data)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return all(isinstance(file.path, str) and type(file.size_bytes) is int for file in listed.files)


def _saved(output: Output, digest: str) -> InputList:
    return _list_of(digest, storage.read_bytes(_path(output, digest)))


def _list_of(digest: str, data: bytes) -> InputList:
    facts = json.loads(data)
    files = [ListedFile(f["path"], f["size_bytes"], tuple(tuple(r) for r in f["ranges"])) for f in facts["files"]]
    return InputList(digest, tuple(files), facts.get("buckets"))


def unread(output: Output, listed: InputList, marks: Sequence[Mark]) -> Iterator[str]:
    """One line for each file of the list that the ledger's rows of this input do not say was read once and whole."""
    if not marks:
        yield (
            f"input={listed.digest}: no ledger row of it is in {output}: its run was cut off, or its workers wrote to "
            f"the disk of another machine; run it again, with an --output that all of them reach ({_named(listed)})"
        )
        return
    read_bytes, told_payloads = _sums(marks, "range_bytes"), _sums(marks, "range_payloads")
    payloads = sum(mark.row["payloads"] for mark in marks)
    if listed.ranges and listed.ranges.isdisjoint(read_bytes):
        yield f"input={listed.digest}: nothing of what was read came through; the runner lost it ({_named(listed)})"
        return
    yield from _shortened([line for file in listed.files for line in _of_file(file, read_bytes)])
    if strange := {*read_bytes} - listed.ranges:
        yield f"input={listed.digest}: {len(strange)} ranges were read that are none of its {len(listed.ranges)}"
    if sum(told_payloads.values()) != payloads:
        yield (
            f"input={listed.digest}: reading gave {sum(told_payloads.values())} payloads, {payloads} were decoded "
            f"({_named(listed)})"
        )
    if listed.size_bytes and not payloads:
        yield f"input={listed.digest}: {listed.size_bytes} bytes gave no payload ({_named(listed)})"


def troubles(output: Output, listed: InputList, marks: Sequence[Mark]) -> list[str]:
    """One line for each place where an input is not whole by its ledger rows, or its books do not balance."""
    return [*unread(output, listed, marks), *imbalances(marks), *differences(output, marks, listed.digest)]


def payloads_by_file(listed: InputList, marks: Sequence[Mark]) -> dict[str, int]:
    """How many payloads the ledger's rows say were read of each file, by its path as it is shown."""
    told = _sums(marks, "range_payloads")
    return {file.path: sum(told.get(digest, 0) for digest, _, _ in file.ranges) for file in listed.files}


def _of_file(file: ListedFile, read_bytes: dict[str, int]) -> Iterator[str]:
    missing = [(start, end) for digest, start, end in file.ranges if digest not in read_bytes]
    for start, end in missing:
        part = "" if end is None else f", bytes {start} to {min(end, file.size_bytes)}"
        yield f"{file.path}{part}: was not read"
    found_bytes = sum(read_bytes.get(digest, 0) for digest, _, _ in file.ranges)
    if not missing and found_bytes != file.size_bytes:
        told = "more than once" if found_bytes > file.size_bytes else "in part"
        yield f"{file.path}: was read {told}, {found_bytes} bytes of {file.size_bytes}"


def _shortened(lines: list[str]) -> Iterator[str]:
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"and {len(lines) - _MOST_LINES} more files or ranges"


def _sums(marks: Sequence[Mark], column: str) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for mark in marks:
        for digest, count in mark.row.get(column) or ():
            sums[digest] += count
    return sums


def unread_of_all(output: Output, marks: Sequence[Mark]) -> Iterator[str]:
    """The same for every input of an output.

    What an input left unread is no loss where another one read the same ranges and is whole.
    """
    by_input: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_input[mark.name.input].append(mark)
    problems = [(listed, list(unread(output, listed, by_input[listed.digest]))) for listed in saved_lists(output)]
    whole: set[str] = set().union(*(listed.ranges for listed, found in problems if not found))
    for listed, found in problems:
        if not listed.ranges <= whole:
            yield from found


def _named(listed: InputList) -> str:
    """The files as a few words."""
    if not listed.files:
        return "no files"
    more = f" and {len(listed.files) - 1} more" if len(listed.files) > 1 else ""
    return f"{listed.files[0].path}{more}"


def _path(output: Output, digest: str) -> str:
    return output.beside(INPUTS_FOLDER, f"{digest}{_SUFFIX}")
