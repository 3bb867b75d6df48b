"""Which quarantined payloads hold a raw id of people. Only the operators' private key opens them."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import re2

from pipelines.people.finding import FoundRows
from pipelines.people.known_as import NOBODY
from pipelines.people.people_file import Person
from schemas.registry import raw_schemas
from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.output.layout import DataFile, Listing
from transforms.core.reading.inflate import Damaged, Stream, TooLarge, gzip_member, inflated, zstd_frame

_MOST_BYTES = 256 * 1024 * 1024
_PATTERN_BYTES = 1 << 28
_COMPRESSED: dict[bytes, Callable[[], Stream]] = {b"\x1f\x8b": gzip_member, b"\x28\xb5": zstd_frame}
_ESCAPED = re.compile(rb"\\u00([2-7][0-9a-fA-F])")


@dataclass
class FoundPayloads:
    """Rows of quarantine whose bodies hold ids of people, and the payload_id of each.

    `unopened` is how many bodies nobody looked into, because no private key of the operators was given. Rows without
    a body tell nothing of who sent them.
    """

    files: list[FoundRows] = field(default_factory=list)
    payload_ids: dict[str, int] = field(default_factory=dict)
    unopened: int = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(len(found.rows) for found in self.files)


def find_payloads(listing: Listing, people: Sequence[Person], keys: PrivateKeys | None) -> FoundPayloads:
    """Opens every body. Raises KeyUnavailable where the key does not open them, StorageUnavailable."""
    search, found = _Search(people), FoundPayloads()
    for file in listing.files(QUARANTINE):
        table = _read(file)
        with_body = np.flatnonzero(np.asarray(table["body"].is_valid()))
        if keys is None:
            found.unopened += len(with_body)
            continue
        persons = np.full(table.num_rows, NOBODY, dtype=np.int64)
        for row, sealed, key_id, container in zip(with_body, *_columns(table, with_body), strict=True):
            persons[row] = search.person_of(_opened(keys.open(key_id, sealed), container))
        rows = np.flatnonzero(persons != NOBODY)
        if len(rows):
            found.files.append(FoundRows(file, rows, persons[rows], table.num_rows, _latest_us(table)))
            ids = table["payload_id"].take(pa.array(rows)).to_pylist()
            found.payload_ids |= dict(zip(ids, persons[rows].tolist(), strict=True))
    return found


def bodies_of(listing: Listing) -> tuple[list[date], int]:
    """The days on which quarantine has bodies, and how many these are: what `find_payloads` opens."""
    counts = {file: _count_of(file) for file in listing.files(QUARANTINE)}
    return sorted({file.day for file, count in counts.items() if count}), sum(counts.values())


def _count_of(file: DataFile) -> int:
    with storage.open_read(file.path) as opened:
        column = pq.ParquetFile(opened).read(columns=["body_key_id"])["body_key_id"]
    return len(column) - column.null_count


def _read(file: DataFile) -> pa.Table:
    with storage.open_read(file.path) as opened:
        return pq.ParquetFile(opened).read(columns=["payload_id", "body", "body_key_id", "container", "received_at"])


def _latest_us(table: pa.Table) -> int:
    return int(pc.max(table["received_at"].cast(pa.int64())).as_py() or 0)


def _columns(table: pa.Table, rows: np.ndarray) -> Iterator[list[object]]:
    for name in ("body", "body_key_id", "container"):
        yield table[name].take(pa.array(rows)).to_pylist()


def _opened(body: bytes, container: str) -> bytes:
    """The bytes in which ids may stand: those of a request, if the body is one."""
    if container != "avro":
        return body
    request = fastavro.schemaless_reader(io.BytesIO(body), raw_schemas()["raw_request.1"], None)
    line: bytes = request["body"]
    return line


class _Search:
    """Looks for raw ids in bytes: as they are, decompressed, without escapes, and as UTF-16 or UTF-32."""

    def __init__(self, people: Sequence[Person]) -> None:
        self._persons = {text.encode(): number for number, person in enumerate(people) for text in person.texts}
        options = re2.Options()
        options.max_mem = _PATTERN_BYTES
        options.encoding = re2.Options.Encoding.LATIN1
        longest_first = sorted(self._persons, key=len, reverse=True)
        self._pattern = re2.compile(b"|".join(re2.escape(text) for text in longest_first), options)

    def person_of(self, payload: bytes) -> int:
        """The number of the first person whose id is there, else NOBODY."""
        for data in (payload, *_inflated(payload)):
            narrow = data.replace(b"\0", b"")
            for form in (data, narrow, _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), narrow)):
                if (match := self._pattern.search(form)) is not None:
                    return self._persons[match.group()]
        return NOBODY


def _inflated(payload: bytes) -> Iterator[bytes]:
    if make := _COMPRESSED.get(payload[:2]):
        try:
            yield inflated(make, payload, _MOST_BYTES)
        except (Damaged, TooLarge):
            return
