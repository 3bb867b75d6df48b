"""What of an output is past its retention: written down before the first of its files is deleted.

`_expired/record.json` says up to which received_date each dataset has expired. Whoever compares files with the ledger
leaves these days out, and whoever writes leaves their rows out, so that an old input brings nothing back. It holds
names of datasets, days and files, and no row.
"""

from collections.abc import Iterable
from datetime import date

import msgspec

from transforms.core import storage
from transforms.core.output.layout import EXPIRED_FOLDER, Output
from transforms.core.output.records import read_record
from transforms.core.times import UNKNOWN_DATE

RECORD = f"{EXPIRED_FOLDER}/record.json"
"""The path in an output of what has expired."""

_VERSION = 1


class Expired(msgspec.Struct):
    """What has expired. `through` is the last such received_date of each dataset.

    `inputs` are dataset, received_date and input where the day tells no age: it is unknown, or was to come when the
    files had grown old. (Older versions wrote `pending` here while they deleted. What they left is found by the next
    plan.)
    """

    version: int = _VERSION
    through: dict[str, date] = {}
    inputs: set[tuple[str, date, str]] = set()

    def covers(self, dataset: str, day: date, of_input: str) -> bool:
        """Whether files of the dataset's day and input have expired."""
        is_past = UNKNOWN_DATE < day <= self.through.get(dataset, date.min)
        return is_past or (dataset, day, of_input) in self.inputs

    def takes_from(self, datasets: Iterable[str], day: date) -> bool:
        """Whether the day of any of these datasets has expired, so that figures made of them would lack something."""
        return any(day <= self.through.get(name, date.min) for name in datasets)

    def save(self, output: Output) -> None:
        """Writes the record."""
        output.write(output.beside(RECORD), msgspec.json.encode(self, order="sorted") + b"\n")


def read_expired(output: Output) -> Expired:
    """The record of an output, empty where nothing has expired yet; raises StorageRefused where it is damaged."""
    path = output.beside(RECORD)
    if not storage.exists(path):
        return Expired()
    return read_record(path, Expired, _VERSION)
