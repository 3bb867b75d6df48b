"""Writes a bucket's files; the ledger row comes last and marks the others as whole."""

import io
from collections.abc import Iterable
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.registry import contract_digest, load
from transforms.core import storage
from transforms.core.books import Books
from transforms.core.curate import CuratedBucket
from transforms.core.keyring import KeyRing
from transforms.core.layout import DATA_DATASETS, LEDGER, FileName, Listing, days_with_files, partition
from transforms.core.role_encryption import encryption_properties

_ROW_GROUP_ROWS = 128 * 1024
_ZSTD_LEVEL = 1  # smaller and faster than 3 on these columns: 19.6 and 20.7 MB, 2.9 and 3.4 us a row
_REPEATED_IDS = ("installation_id", "session_id", "user_id")


def parquet_bytes(dataset: str, table: pa.Table, ring: KeyRing, month: str) -> bytes:
    """The file of a table. Writer settings are fixed: the same rows give the same bytes, but for
    encrypted columns, whose keys are fresh.
    """
    out = io.BytesIO()
    properties = encryption_properties(load(dataset), ring, month)
    with pq.ParquetWriter(
        out,
        table.schema,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=_words(dataset),
        write_statistics=True,
        version="2.6",
        encryption_properties=properties,
    ) as writer:
        writer.write_table(table, row_group_size=_ROW_GROUP_ROWS)
    return out.getvalue()


def _words(dataset: str) -> list[str]:
    """Columns of few distinct values; looking for them in the others costs a tenth of the writing."""
    numbers = (pa.types.is_floating, pa.types.is_timestamp, pa.types.is_binary)
    return [
        f.name
        for f in load(dataset).fields
        if (f.pseudonym_domain is None or f.name in _REPEATED_IDS) and not any(is_a(f.type) for is_a in numbers)
    ]


class Publisher:
    """Publishes buckets of one input into one output; made in `setup`, because it holds public keys."""

    def __init__(self, output: str, input_digest: str, buckets: int, ring: KeyRing, listing: Listing) -> None:
        self._output = output
        self._input = input_digest
        self._buckets = buckets
        self._ring = ring
        self._listing = listing

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def publish(self, curated: CuratedBucket, earlier_days: Iterable[date]) -> None:
        """Writes, replaces or removes every file of this input and bucket.

        `earlier_days` are days for which the same input left files before.
        Raises StorageUnavailable where a file cannot be written; what was
        written stays, and the same run again makes it whole.
        """
        for day in sorted({*curated.counts, *earlier_days}):
            for dataset in DATA_DATASETS:
                self._put(dataset, day, curated.bucket, curated.tables.get((dataset, day)))
            counts = curated.counts.get(day)
            self._put(LEDGER, day, curated.bucket, counts and self._ledger_table(counts, curated.bucket))

    def _put(self, dataset: str, day: date, bucket: int, table: pa.Table | None) -> None:
        name = FileName(self._input, bucket)
        path = storage.join(partition(self._output, dataset, day), str(name))
        if table is not None:
            storage.write_atomic(path, parquet_bytes(dataset, table, self._ring, f"{day:%Y-%m}"))
        elif name in self._listing.files(dataset, day):
            storage.remove(path)

    def _ledger_table(self, counts: Books, bucket: int) -> pa.Table:
        facts = {"input": self._input, "bucket": bucket, "buckets": self._buckets, "contract": contract_digest()}
        return pa.Table.from_pylist([facts | counts.as_row()], schema=load(LEDGER).arrow)


def days_left_by(output: str, input_digest: str, bucket_count: int) -> dict[int, list[date]]:
    """Bucket -> the days for which this input left files in an earlier run, whole or not."""
    listing = Listing(output)
    found: dict[int, set[date]] = {bucket: set() for bucket in range(bucket_count)}
    for dataset in (*DATA_DATASETS, LEDGER):
        for day in days_with_files(output, dataset):
            for name in listing.files(dataset, day):
                if name.input == input_digest:
                    found[name.bucket].add(day)
    return {bucket: sorted(days) for bucket, days in found.items()}
