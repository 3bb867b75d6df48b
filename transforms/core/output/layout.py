"""Where things lie in an output: names that are pure functions of what a file holds."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from math import gcd
from typing import NamedTuple

from schemas.registry import EVENT_DATASETS, EXTENSION_EVENTS, SUGGESTIONS
from transforms.core import storage

LANDING_DATASETS = (*EVENT_DATASETS, EXTENSION_EVENTS, "quarantine")
"""Datasets in which what came in lands."""

DATA_DATASETS = (*LANDING_DATASETS, SUGGESTIONS)
"""Every dataset whose rows a run writes; `ledger` is written after them."""

LEDGER = "ledger"
RUNS = "runs"
"""The folder of the records of runs: no dataset, and no file in it ends as one of a dataset does."""

CHAINS_FOLDER = "manifests"
"""Where the signed manifests of runs lie, within RUNS: a folder for each chain."""

OUTPUT_FILE = "_output.json"
PUBLIC_KEY_FILE = "_signing.pub"
"""The public half of the key that signs the manifests."""
CLAIM_FILE = "_claim.json"
UNFINISHED_FILE = "_unfinished.json"
INPUTS_FOLDER = "_inputs"
MANIFESTS_FOLDER = "_manifests"
SCHEMAS_FOLDER = "_schemas"
ERASED_FOLDER = "_erased"
"""Where it is written down what people no longer permit of what was received before."""
EXPIRED_FOLDER = "_expired"
"""Where it is written down which days have reached the end of their retention."""
REPLAYED_FOLDER = "_replayed"
"""Where it is written down which quarantined payloads have gone through the job again."""
PUBLISHED_FOLDER = "_published"
"""Where it is written down which days of a dataset of figures were published, and what that has spent."""
UNSIGNED_FOLDER = "_unsigned"
"""Where it is written down of which batch inputs a run has begun and has not signed what it wrote."""
COMPACTED_FOLDER = "_compacted"
"""Where it is written down which files of a day were put together into which."""
SPILL_FOLDER = "_spill"
"""Where sealed pieces of a job wait between its processes, where the output is local."""
WRITING_FOLDER = "_writing"
"""Where local files lie until they are whole. In the folder of a dataset Polars would refuse to read beside them."""

_SUFFIX = ".parquet"
_DATE = "received_date="
_NAME = re.compile(r"(.+)-([0-9]+)(?:of([0-9]+))?\.parquet")


@dataclass(frozen=True)
class FileName:
    """The parts of a data file's name: the input's digest, the bucket, and of how many buckets it is one.

    Files of older versions do not name how many: their bucket is one slot of the output, and their rows name none.
    """

    input: str
    bucket: int
    buckets: int | None = None

    def __str__(self) -> str:
        of = "" if self.buckets is None else f"of{self.buckets:04d}"
        return f"{self.input}-{self.bucket:04d}{of}{_SUFFIX}"

    @property
    def is_of_stream(self) -> bool:
        """Whether a window of a stream wrote it, and not the run of an input."""
        return "." in self.input

    @property
    def way_to_whole(self) -> str:
        """What makes a file whole whose run was cut off."""
        return "start that stream again" if self.is_of_stream else "run that input again"

    def may_hold(self, bucket: int, buckets: int) -> bool:
        """Whether a person of a bucket, one of so many, may be in the file: whether they have slots in common."""
        if self.buckets is None:
            return self.bucket % buckets == bucket
        return (self.bucket - bucket) % gcd(self.buckets, buckets) == 0

    def may_hold_others(self, buckets: int) -> bool:
        """Whether, where it holds people of one of so many buckets, people of others may be in it as well."""
        return self.buckets is not None and self.buckets % buckets != 0


def path_in_output(dataset: str, day: date, name: str = "") -> str:
    """The path in an output of a dataset's day, or of a file there."""
    return storage.join(dataset, f"{_DATE}{day.isoformat()}", *([name] if name else []))


def claim_of(dataset: str) -> str:
    """The claim of who writes a dataset that is no part of the output's own, so that a running job does not matter."""
    return f"_claim-{dataset}.json"


def chain_of(claim: str) -> str:
    """The chain of manifests of what a claim stands for: `output`, or the dataset that has a claim of its own."""
    return "output" if claim == CLAIM_FILE else claim.removeprefix("_claim-").removesuffix(".json")


def parse_name(name: str) -> FileName | None:
    """The parts of a file's name; None where it is none of ours."""
    if (found := _NAME.fullmatch(name)) is None:
        return None
    stem, bucket, buckets = found.groups()
    return FileName(stem, int(bucket), None if buckets is None else int(buckets))


@dataclass(frozen=True)
class Output:
    """Where a run writes its datasets: a folder or the URL of one.

    `claim` names the claim of the run that holds it, for workers that are not in that run's process.
    """

    path: str
    claim: str = field(default="", compare=False)

    def partition(self, dataset: str, day: date) -> str:
        """The folder of a dataset's day."""
        return storage.join(self.path, path_in_output(dataset, day))

    def file(self, dataset: str, day: date, name: FileName) -> str:
        """The path of a data file."""
        return storage.join(self.partition(dataset, day), str(name))

    def __str__(self) -> str:
        return self.path

    def beside(self, *names: str) -> str:
        """The path of a file that is no data and lies beside the datasets."""
        return storage.join(self.path, *names)

    def write(self, path: str, data: bytes) -> None:
        """Writes one of its files whole or not at all; until then a local one lies in WRITING_FOLDER."""
        storage.write_atomic(path, data, self.beside(WRITING_FOLDER))

    def listing(self) -> "Listing":
        """What lies there from now on, asked for once."""
        return Listing(self)


class DataFile(NamedTuple):
    """A file of ours, as it was listed."""

    dataset: str
    day: date
    name: FileName
    path: str

    @property
    def place(self) -> str:
        """Its path in the output."""
        return path_in_output(self.dataset, self.day, str(self.name))


class Listing:
    """Which of our files lie in an output; asks the storage once for each dataset and once for each day of it.

    What is written or removed after that is not seen.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self._known: dict[tuple[str, date], list[FileName]] = {}
        self._days: dict[str, list[date]] = {}

    def days(self, dataset: str, first: date = date.min, last: date = date.max) -> list[date]:
        """The days from first to last for which a dataset has a folder, sorted."""
        if dataset not in self._days:
            folders = storage.list_folders(storage.join(self.output.path, dataset))
            days = (date.fromisoformat(f.removeprefix(_DATE)) for f in folders if f.startswith(_DATE))
            self._days[dataset] = sorted(days)
        return [day for day in self._days[dataset] if first <= day <= last]

    def names(self, dataset: str, day: date) -> list[FileName]:
        """The names of the data files of a dataset's day, sorted."""
        key = (dataset, day)
        if key not in self._known:
            names = storage.list_files(self.output.partition(dataset, day))
            self._known[key] = [n for n in map(parse_name, names) if n is not None]
        return self._known[key]

    def files(
        self, *datasets: str, days: Iterable[date] | None = None, of_input: str | None = None
    ) -> Iterator[DataFile]:
        """Every data file of these datasets, by dataset, day and name; of these days, or of one input, alone."""
        for dataset in datasets:
            for day in self.days(dataset) if days is None else days:
                for name in self.names(dataset, day):
                    if of_input in (None, name.input):
                        yield DataFile(dataset, day, name, self.output.file(dataset, day, name))
