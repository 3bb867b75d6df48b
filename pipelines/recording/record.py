"""The record of a run, `<output>/runs/<run>.json`: what it was to do, what became of it, with what it was made.

It holds counts, names of datasets and reasons, paths as the operator gave them without logins and signatures, and the
name of the host. No user's name, no flag's value beyond the input, no value of an event.
"""

import base64
import importlib.metadata
import platform
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import msgspec

from schemas.errors import ExitCode, StorageRefused
from schemas.registry import contract_digest
from transforms.core import storage
from transforms.core.output.books import Books
from transforms.core.output.holder import this_process
from transforms.core.output.layout import RUNS, Output

RUNNING = "running"
_SUFFIX = ".json"
_DISTRIBUTION = "suggestion-telemetry"
_UUID7_RANDOM_BITS = 80
_PURPOSE = b"suggestion-telemetry record of a run 1\n"
"""Signed before the record, so that a signature made for something else is none of a record's."""


class Place(msgspec.Struct):
    """What a run was to read of one folder or file; `payloads` is what was read of it, once the books are there."""

    path: str
    files: int = 0
    bytes: int = 0
    payloads: int | None = None


class Input(msgspec.Struct):
    """What a run was to read: the digest that names its files in the output, how many they are, and their size."""

    digest: str
    files: int
    bytes: int
    places: list[Place] = []


class Stage(msgspec.Struct):
    """A part of a run that is over, how long it took, and what it counted."""

    name: str
    seconds: float
    counts: dict[str, int] = {}


class Record(msgspec.Struct, kw_only=True):
    """A run. `outcome` is `running`, or the name of the exit code in small letters; times are in UTC.

    `patterns` are the inputs as they were given, with the place for `received_date` in them. `process` tells where a
    run that is not over can be looked up; it is gone at the end.
    """

    version: int = 1
    run: str
    job: str
    outcome: str = RUNNING
    exit_code: int | None = None
    error: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float | None = None
    patterns: list[str] = []
    received_date: date | None = None
    input: Input | None = None
    stages: list[Stage] = []
    books: dict[str, int | dict[str, int]] | None = None
    versions: dict[str, str] = {}
    host: str = ""
    process: dict[str, Any] | None = None
    signature: str | None = None
    """Ed25519 in base64 of the record without it, with the ring's signing key; None where the run had none."""

    def end(self, code: ExitCode, error: str | None) -> None:
        """Writes down how the run ended."""
        self.outcome, self.exit_code, self.error = code.name.lower(), int(code), error
        self.ended_at, self.process = datetime.now(UTC), None
        self.seconds = round((self.ended_at - self.started_at).total_seconds(), 3)

    def save(self, output: Output, sign: Callable[[bytes], bytes] | None = None) -> None:
        """Writes the record, signed where there is a key, over an earlier one of the same run."""
        self.signature = None
        if sign is not None:
            self.signature = base64.b64encode(sign(self.signed_content)).decode()
        output.write(_path(output, self.run), self.content)

    @property
    def signed_content(self) -> bytes:
        """What the signature is made of: the record without it, for this purpose alone."""
        return _PURPOSE + msgspec.json.encode(msgspec.structs.replace(self, signature=None))

    @property
    def content(self) -> bytes:
        """What its file holds."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def new_record(job: str, patterns: list[str], received_date: date | None, runner: str) -> Record:
    """A record of a run of this process that begins now."""
    return Record(
        run=_new_name(), job=job, started_at=datetime.now(UTC), patterns=patterns, received_date=received_date,
        versions={**_versions(), "runner": runner}, host=socket.gethostname(), process=this_process(),
    )  # fmt: skip


def counts_of(books: Books) -> dict[str, int | dict[str, int]]:
    """The books as a record holds them: maps sorted by key."""
    return {name: dict(value) if isinstance(value, list) else value for name, value in books.as_row().items()}


def records(output: Output, most: int | None = None) -> Iterator[Record]:
    """The records of an output, newest first; reads no more files than are asked for.

    Raises StorageRefused where one is damaged or of a later version.
    """
    names = storage.list_files(output.beside(RUNS))
    for name in islice((n for n in reversed(names) if n.endswith(_SUFFIX)), most):
        yield _load(output.beside(RUNS, name))


def _load(path: str) -> Record:
    try:
        return msgspec.json.decode(storage.read_bytes(path), type=Record)
    except msgspec.MsgspecError:
        raise StorageRefused(f"{path} is no record of a run, or damaged; remove it") from None


def _new_name() -> str:
    """A UUID of version 7: names in order of time, and what OpenLineage takes as the id of a run. Python has it from
    3.14 on.
    """
    number = time.time_ns() // 1_000_000 << _UUID7_RANDOM_BITS | secrets.randbits(_UUID7_RANDOM_BITS)
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(0b11 << 62) | 0b10 << 62))


def _versions() -> dict[str, str]:
    names = (_DISTRIBUTION, "apache-beam", "pyarrow")
    found = {name: importlib.metadata.version(name) for name in names}
    return {**found, "python": platform.python_version(), "contract": contract_digest()}


def _path(output: Output, run: str) -> str:
    return output.beside(RUNS, f"{run}{_SUFFIX}")
