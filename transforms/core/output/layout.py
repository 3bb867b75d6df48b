"""Where things lie in an output: names that are pure functions of what a file holds."""

from dataclasses import dataclass
from datetime import date

from schemas.registry import EVENT_DATASETS, SUGGESTIONS
from transforms.core import storage

LANDING_DATASETS = (*EVENT_DATASETS, "quarantine")
"""Datasets in which what came in lands."""

DATA_DATASETS = (*LANDING_DATASETS, SUGGESTIONS)
"""Every dataset whose rows a run writes; `ledger` is written after them."""

LEDGER = "ledger"
OUTPUT_FILE = "_output.json"
CLAIM_FILE = "_claim.json"
_SUFFIX = ".parquet"
_DATE = "received_date="


@dataclass(frozen=True)
class FileName:
    """The parts of a data file's name: the input's digest and the bucket."""

    input: str
    bucket: int

    def __str__(self) -> str:
        return f"{self.input}-{self.bucket:04d}{_SUFFIX}"


def parse_name(name: str) -> FileName | None:
    """The parts of a file's name; None where it is none of ours."""
    stem, dash, bucket = name.removesuffix(_SUFFIX).rpartition("-")
    if not (name.endswith(_SUFFIX) and dash and bucket.isdigit()):
        return None
    return FileName(stem, int(bucket))


def partition(output: str, dataset: str, day: date) -> str:
    """The folder of a dataset's day."""
    return storage.join(output, dataset, f"{_DATE}{day.isoformat()}")


def file_path(output: str, dataset: str, day: date, name: FileName) -> str:
    """Where a data file lies."""
    return storage.join(partition(output, dataset, day), str(name))


def days_with_files(output: str, dataset: str) -> list[date]:
    """The received_dates that a dataset has a folder for."""
    folders = storage.list_folders(storage.join(output, dataset))
    return [date.fromisoformat(f.removeprefix(_DATE)) for f in folders if f.startswith(_DATE)]


class Listing:
    """Which of our files lie in a partition; asks the storage once for each."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._known: dict[tuple[str, date], list[FileName]] = {}
        self._days: dict[str, list[date]] = {}

    def days(self, dataset: str) -> list[date]:
        """The days for which a dataset has a folder, sorted."""
        if dataset not in self._days:
            self._days[dataset] = days_with_files(self._output, dataset)
        return self._days[dataset]

    def files(self, dataset: str, day: date) -> list[FileName]:
        """The data files of a dataset's day, sorted."""
        key = (dataset, day)
        if key not in self._known:
            names = storage.list_files(partition(self._output, dataset, day))
            self._known[key] = [n for n in map(parse_name, names) if n is not None]
        return self._known[key]
