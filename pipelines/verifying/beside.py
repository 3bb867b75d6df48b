"""Files that no manifest names and that may lie in an output all the same: each kind is looked at in its own way.

They change while nothing is landed, or are there only while a job runs: the public key, claims and heartbeats, records
of runs, which are signed one by one, and the trail of readings, which is a chain of its own.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pipelines.verifying.records import Trusted, begun_at, is_record
from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.audit.chain import check
from transforms.core.audit.trail import AUDIT_FOLDER
from transforms.core.chains.chain_files import place_of
from transforms.core.chains.unsigned_inputs import read_begun
from transforms.core.keys.public_key import key_line
from transforms.core.output.input_list import is_list
from transforms.core.output.layout import (
    INPUTS_FOLDER,
    PUBLIC_KEY_FILE,
    SPILL_FOLDER,
    UNFINISHED_FILE,
    UNSIGNED_FOLDER,
    WRITING_FOLDER,
    Output,
)
from transforms.core.output.unfinished import how_to_finish, read_unfinished
from transforms.core.storage import Entry

_CLAIM = re.compile(r"_claim(-[a-z_]+)?\.json(\.[0-9a-z]+\.(over|beat))?")
_AUDIT = re.compile(r"_audit/[0-9]{12,}\.json")
_BEING_WRITTEN = (f"{WRITING_FOLDER}/", f"{SPILL_FOLDER}/")
_LIST = re.compile(rf"{INPUTS_FOLDER}/[0-9a-f]{{16}}\.json")
_UNSIGNED = re.compile(rf"{UNSIGNED_FOLDER}/([0-9a-f]{{16}})\.json")
_MOST_BYTES = {
    "list": 64 * 1024 * 1024,
    "claim": 4096,
    "record": 16 * 1024 * 1024,
    "audit": 64 * 1024,
    "unfinished": 512 * 1024 * 1024,
}


@dataclass
class Beside:
    """What is wrong with such files; what a running job explains; claims; and what is none of them."""

    problems: list[str] = field(default_factory=list)
    being_written: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    """Lists of inputs whose run was cut off: to be told where the books are not looked at, which tell what is lost."""
    unsigned_inputs: list[str] = field(default_factory=list)
    """Lines of inputs whose run goes on, or was cut off before it had signed."""
    unsigned_records: list[tuple[str, datetime]] = field(default_factory=list)
    """Records of runs that were refused and had no key, with the time of their begin."""
    claims: list[str] = field(default_factory=list)
    strange: list[Entry] = field(default_factory=list)
    has_trail: bool = False


def look_beside(output: Output, strange: Iterable[Entry], trusted: Trusted) -> Beside:
    """Takes out of what no manifest names whatever may lie there, and looks at it."""
    found = Beside()
    for entry in strange:
        if entry.kind != "file" or not _is_known(output, entry, trusted, found):
            found.strange.append(entry)
    if found.has_trail:
        found.problems += [f"{AUDIT_FOLDER}: {line}" for line in check(output.beside(AUDIT_FOLDER)).problems]
    return found


def is_half_written(path: str) -> bool:
    """Whether a path in an output is that of a file that is not whole yet, or of what a job needs while it runs."""
    return path.startswith(_BEING_WRITTEN) or storage.is_half(path.rpartition("/")[2])


def half_written_line(path: str) -> str:
    """What is said of such a file."""
    return f"{path}: half written, or left by a job that was killed; the next job that writes the output removes it"


def _is_known(output: Output, entry: Entry, trusted: Trusted, found: Beside) -> bool:
    path = entry.path
    if place_of(path) is not None:
        return True  # the chains have it
    if path == PUBLIC_KEY_FILE:
        if not _is_the_key(output, entry, trusted):
            found.problems.append(f"{path}: is not the public key that the manifests are held against: altered")
    elif path == UNFINISHED_FILE:
        found.problems.append(f"{path}: {_cut_off(output, entry)}")
    elif _CLAIM.fullmatch(path):
        if entry.size_bytes > _MOST_BYTES["claim"] or not _is_claim(output, path):
            found.problems.append(f"{path}: is no claim as jobs write it; somebody put it there")
        found.claims.append(path)
    elif is_record(path):
        _look_at_record(output, entry, trusted, found)
    elif _AUDIT.fullmatch(path) and entry.size_bytes <= _MOST_BYTES["audit"]:
        found.has_trail = True
    elif _LIST.fullmatch(path) and _is_list(output, entry):
        found.lists.append(f"{path}: lists an input whose run was cut off; the books say whether any of it is lost")
    elif _is_unsigned(output, entry):
        found.unsigned_inputs.append(
            f"{path}: a run of that input goes on, or was cut off before it had signed; run it again, or the next "
            "change of landed files signs it where it is whole"
        )
    elif is_half_written(path):
        found.being_written.append(half_written_line(path))
    else:
        return False
    return True


def _is_list(output: Output, entry: Entry) -> bool:
    return entry.size_bytes <= _MOST_BYTES["list"] and is_list(storage.read_bytes(output.beside(entry.path)))


def _is_unsigned(output: Output, entry: Entry) -> bool:
    """Whether it tells of a batch run, which writes it before it reads, that it has not signed yet."""
    found = _UNSIGNED.fullmatch(entry.path) if entry.size_bytes <= _MOST_BYTES["list"] else None
    return found is not None and read_begun(output, found[1]) is not None


def _cut_off(output: Output, entry: Entry) -> str:
    """Which change was cut off, and how it is finished."""
    try:
        unfinished = read_unfinished(output) if entry.size_bytes <= _MOST_BYTES["unfinished"] else None
    except StorageUnavailable:
        unfinished = None
    if unfinished is None:
        return "is no record of a change as jobs write it"
    return how_to_finish(output, unfinished)


def _is_the_key(output: Output, entry: Entry, trusted: Trusted) -> bool:
    line = key_line(trusted.key)
    return entry.size_bytes == len(line) and storage.read_bytes(output.beside(entry.path)) == line


def _is_claim(output: Output, path: str) -> bool:
    """A claim is a small JSON object, a heartbeat a number."""
    if not storage.exists(output.beside(path)):
        return True  # let go meanwhile
    data = storage.read_bytes(output.beside(path))
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return data == b""
    return type(found) is int if path.endswith(".beat") else isinstance(found, dict)


def _look_at_record(output: Output, entry: Entry, trusted: Trusted, found: Beside) -> None:
    if entry.size_bytes > _MOST_BYTES["record"]:
        found.problems.append(f"{entry.path}: is larger than any record of a run")
        return
    data = storage.read_bytes(output.beside(entry.path))
    told = trusted.vouches_for(entry.path, data)
    if told is None:
        found.problems.append(f"{entry.path}: altered, or no record of a run that signed")
    elif not told:
        found.unsigned_records.append((entry.path, begun_at(data)))
