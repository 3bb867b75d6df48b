"""What other inputs published already: the warm start of duplicate detection."""

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.core import storage
from transforms.core.layout import FileName, Listing, partition
from transforms.core.times import UNKNOWN_DATE

_KEY_COLUMNS = {"quarantine": "payload_id"}


def key_column(dataset: str) -> str:
    """The column that tells duplicates in a dataset."""
    return _KEY_COLUMNS.get(dataset, "event_id")


def days_around(days: Iterable[date], lookback: timedelta) -> list[date]:
    """Every day that holds rows at most the lookback away from rows of these days."""
    reach = -(-lookback // timedelta(days=1))
    near: set[date] = set()
    for day in days:
        offsets = range(-reach, reach + 1) if day != UNKNOWN_DATE else (0,)
        near.update(day + timedelta(days=n) for n in offsets)
    return sorted(near)


class PublishedKeys:
    """Reads keys and receive times that other inputs than this one published."""

    def __init__(self, output: str, input_digest: str, listing: Listing) -> None:
        self._output = output
        self._input = input_digest
        self._listing = listing

    def read(self, dataset: str, bucket: int, days: Iterable[date]) -> tuple[pa.Array, np.ndarray]:
        """Keys as they stand in the files (hex text), and times in microseconds."""
        tables = [
            self._read_file(dataset, day, name)
            for day in days
            for name in self._listing.files(dataset, day)
            if name.bucket == bucket and name.input != self._input
        ]
        if not tables:
            return pa.array([], pa.string()), np.array([], dtype=np.int64)
        table = pa.concat_tables(tables).combine_chunks()
        times = table["received_at"].cast(pa.int64()).fill_null(0)
        keys = pa.concat_arrays(table[key_column(dataset)].chunks)
        return keys, times.to_numpy()

    def _read_file(self, dataset: str, day: date, name: FileName) -> pa.Table:
        path = storage.join(partition(self._output, dataset, day), str(name))
        with storage.open_read(path) as file:
            return pq.ParquetFile(file).read(columns=[key_column(dataset), "received_at"])
