"""A change of landed files that has begun and is not over: written down before the first file is changed.

`_unfinished.json` in the output says which job changes what. It goes when the change is over. A run that was killed
leaves it, and then nobody writes the output until the same command has finished the change.
"""

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from schemas.errors import UnfinishedChange
from transforms.core import storage
from transforms.core.output.layout import UNFINISHED_FILE, Output
from transforms.core.output.records import read_record

_VERSION = 1

T = TypeVar("T")


class Unfinished(msgspec.Struct):
    """What a job has begun to change. Nothing in it tells of a person.

    `told` are the lines that its dry run printed. `payload` is what the job needs to go on, in JSON: paths, counts.
    """

    job: str
    checksum: str
    begun_at: datetime
    told: list[str]
    payload: msgspec.Raw
    version: int = _VERSION

    def payload_as(self, kind: type[T]) -> T:
        """The payload as the job's own type."""
        return msgspec.json.decode(self.payload, type=kind)

    def save(self, output: Output) -> None:
        """Writes the record."""
        output.write(output.beside(UNFINISHED_FILE), msgspec.json.encode(self) + b"\n")


def begun(job: str, checksum: str, told: list[str], payload: object) -> Unfinished:
    """The record of a change that begins now; it is not saved yet."""
    now = datetime.now(UTC).replace(microsecond=0)
    return Unfinished(job, checksum, now, told, msgspec.Raw(msgspec.json.encode(payload, order="sorted")))


def read_unfinished(output: Output) -> Unfinished | None:
    """The change that was cut off in an output, None where none was; raises StorageRefused where it is damaged."""
    path = output.beside(UNFINISHED_FILE)
    if not storage.exists(path):
        return None
    return read_record(path, Unfinished, _VERSION)


def forget_unfinished(output: Output) -> None:
    """Says that the change is over."""
    storage.remove(output.beside(UNFINISHED_FILE))


def how_to_finish(output: Output, found: Unfinished) -> str:
    """The line for people that says what was cut off, and the command that finishes it."""
    return (
        f"a change of {output} by pipelines.{found.job} was cut off; finish it first: run pipelines.{found.job} again "
        f"with the same flags and --checksum {found.checksum}"
    )


def check_is_of(output: Output, found: Unfinished, job: str, checksum: str | None = None) -> None:
    """Raises UnfinishedChange where what was cut off is another job's change, or has another checksum than is given."""
    if found.job != job or checksum not in (None, found.checksum):
        raise UnfinishedChange(how_to_finish(output, found))


def check_finished(output: Output) -> None:
    """Raises UnfinishedChange where a change of the output was cut off."""
    if (found := read_unfinished(output)) is not None:
        raise UnfinishedChange(how_to_finish(output, found))
