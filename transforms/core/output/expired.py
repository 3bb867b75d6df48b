"""What of an output is past its retention: written down before the first of its files is deleted.

`_expired/record.json` says up to which received_date each dataset has expired. Whoever compares files with the ledger
leaves these days out, and whoever writes leaves their rows out, so that an old input brings nothing back. It holds
names of datasets, days and files, and no row.
"""

from collections.abc import Iterable
from datetime import date

import msgspec

from schemas.errors import StorageRefused
from transforms.core import storage
from transforms.core.output.layout import EXPIRED_FOLDER, Output
from transforms.core.times import UNKNOWN_DATE

_FILE = "record.json"
_VERSION = 1


class Deleted(msgspec.Struct):
    """How much of a dataset an expiry deletes, and of which days; rows as the ledger counts them, where it does."""

    first_day: date
    last_day: date
    files: int = 0
    size_bytes: int = 0
    rows: int = 0


class Pending(msgspec.Struct):
    """An expiry that has begun: paths in the output, in the order in which they are deleted, and their sums."""

    checksum: str
    as_of: date
    paths: list[str]
    datasets: dict[str, Deleted]


class Expired(msgspec.Struct):
    """What has expired. `through` is the last such received_date of each dataset.

    `inputs` are dataset, received_date and input where the day tells no age: it is unknown, or was to come when the
    files had grown old. `pending` is there while files are being deleted.
    """

    version: int = _VERSION
    through: dict[str, date] = {}
    inputs: set[tuple[str, date, str]] = set()
    pending: Pending | None = None

    def covers(self, dataset: str, day: date, of_input: str) -> bool:
        """Whether files of the dataset's day and input have expired."""
        is_past = UNKNOWN_DATE < day <= self.through.get(dataset, date.min)
        return is_past or (dataset, day, of_input) in self.inputs

    def takes_from(self, datasets: Iterable[str], day: date) -> bool:
        """Whether the day of any of these datasets has expired, so that figures made of them would lack something."""
        return any(day <= self.through.get(name, date.min) for name in datasets)

    def save(self, output: Output) -> None:
        """Writes the record."""
        output.write(output.beside(EXPIRED_FOLDER, _FILE), msgspec.json.encode(self, order="sorted") + b"\n")


def read_expired(output: Output) -> Expired:
    """The record of an output, empty where nothing has expired yet; raises StorageRefused where it is damaged."""
    path = output.beside(EXPIRED_FOLDER, _FILE)
    if not storage.exists(path):
        return Expired()
    try:
        found = msgspec.json.decode(storage.read_bytes(path), type=Expired)
    except msgspec.MsgspecError:
        raise StorageRefused(f"{path} is damaged; bring it back from a backup") from None
    if found.version != _VERSION:
        raise StorageRefused(f"{path} is of version {found.version}; this program reads version {_VERSION}")
    return found
