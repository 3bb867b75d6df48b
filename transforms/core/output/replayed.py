"""Which quarantined payloads have gone through the job again, written down when all that came of them has landed.

`_replayed/<input>.json` names them by `payload_id`, a keyed digest. Their rows of quarantine stay until they expire.
"""

from collections import Counter
from collections.abc import Container, Iterator
from datetime import date, datetime

import msgspec
import pyarrow.parquet as pq

from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.output.layout import REPLAYED_FOLDER, Output
from transforms.core.output.records import read_record

_VERSION = 1
_SUFFIX = ".json"


class Replayed(msgspec.Struct):
    """A replay that is over: the payloads that are no trouble any more, by received_date; and how many, by reason.

    `input` is the name under which its rows landed, `checksum` that of the dry run.
    """

    input: str
    checksum: str
    finished_at: datetime
    contract: str
    payload_ids: dict[date, list[str]]
    reasons: dict[str, int]
    version: int = _VERSION

    @property
    def path(self) -> str:
        """Where it lies in an output."""
        return path_of(self.input)

    def save(self, output: Output) -> None:
        """Writes the record."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        output.write(output.beside(self.path), data + b"\n")


def path_of(of_input: str) -> str:
    """Where the record of a replay lies in an output."""
    return storage.join(REPLAYED_FOLDER, f"{of_input}{_SUFFIX}")


def records_of_replays(output: Output) -> Iterator[str]:
    """The paths in an output of all records."""
    for name in storage.list_files(output.beside(REPLAYED_FOLDER)):
        if name.endswith(_SUFFIX):
            yield storage.join(REPLAYED_FOLDER, name)


def read_replayed(output: Output) -> Iterator[Replayed]:
    """Every record of an output; raises StorageRefused where one is damaged."""
    for path in records_of_replays(output):
        yield read_record(output.beside(path), Replayed, _VERSION)


def was_replayed(output: Output, checksum: str) -> bool:
    """Whether the replay of a checksum is over."""
    return any(found.checksum == checksum for found in read_replayed(output))


def replayed_ids(output: Output) -> frozenset[str]:
    """The `payload_id` of everything that was replayed."""
    return frozenset(name for found in read_replayed(output) for names in found.payload_ids.values() for name in names)


def replayed_on(output: Output, days: Container[date]) -> int:
    """How many payloads of these received_dates were replayed."""
    by_day = ((day, names) for found in read_replayed(output) for day, names in found.payload_ids.items())
    return sum(len(names) for day, names in by_day if day in days)


def replayed_reasons(output: Output) -> Counter[str]:
    """How many payloads were replayed, by the reason for which they were in quarantine."""
    return sum((Counter(found.reasons) for found in read_replayed(output)), Counter[str]())


def forget_gone(output: Output) -> list[str]:
    """Takes payloads out of the records that are no more in quarantine, as after an erasure; raises StorageUnavailable.

    Returns the paths in the output of the records that were changed.
    """
    records = list(read_replayed(output))
    there = _in_quarantine(output) if records else frozenset()
    changed = []
    for found in records:
        left = {day: [name for name in names if name in there] for day, names in found.payload_ids.items()}
        if left != found.payload_ids:
            found.payload_ids = {day: names for day, names in left.items() if names}
            found.save(output)
            changed.append(found.path)
    return changed


def _in_quarantine(output: Output) -> frozenset[str]:
    names: set[str] = set()
    for file in output.listing().files(QUARANTINE):
        with storage.open_read(file.path) as opened:
            names |= set(pq.ParquetFile(opened).read(columns=["payload_id"])["payload_id"].to_pylist())
    return frozenset(names)
