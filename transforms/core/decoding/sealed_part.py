"""The rows of a quarantine file that go through the job again, and the payloads in them."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StorageUnavailable
from transforms.core import storage
from transforms.core.blocks import BLOCK_BYTES, Block, RangeRead
from transforms.core.decoding.lowered import Consent, lowered
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.quarantine.opening import block_of, open_body
from transforms.core.quarantine.rows import Payload
from transforms.core.ranges import Range

_COLUMNS = ["payload_id", "container", "body", "body_key_id"]


class SealedRow(NamedTuple):
    """A row by its number in the file and its `payload_id`; `now` where its people permit less than they did."""

    number: int
    payload_id: str
    now: Consent | None = None


class SealedPart(NamedTuple):
    """Rows of one file. `part` stands for them in the books: its bytes are those of the payloads."""

    part: Range
    path: str
    rows: tuple[SealedRow, ...]


def blocks_of(sealed: SealedPart, keys: PrivateKeys) -> Iterator[Block]:
    """The payloads of these rows, and a last block that says that all of them were read.

    Raises KeyUnavailable, and StorageUnavailable where the file is not the one that the rows were chosen from.
    """
    waiting: list[Payload] = []
    size_bytes = 0
    for payload in payloads_of(sealed, keys):
        waiting.append(payload)
        size_bytes += len(payload.line)
        if size_bytes >= BLOCK_BYTES:
            yield block_of(waiting)
            waiting, size_bytes = [], 0
    if waiting:
        yield block_of(waiting)
    yield Block(read=[RangeRead(sealed.part.digest, sealed.part.size_bytes, len(sealed.rows))])


def payloads_of(sealed: SealedPart, keys: PrivateKeys) -> Iterator[Payload]:
    """The payload of each row, under the consent of now where that is the smaller one."""
    with storage.open_read(sealed.path) as file:
        table = pq.ParquetFile(file).read(columns=_COLUMNS)
    if any(row.number >= table.num_rows for row in sealed.rows):
        raise StorageUnavailable(f"{sealed.path} has changed since it was looked at; run it again")
    chosen = table.take(pa.array([row.number for row in sealed.rows], pa.int64())).to_pylist()
    for row, found in zip(sealed.rows, chosen, strict=True):
        if row.payload_id != found["payload_id"] or found["body"] is None:
            raise StorageUnavailable(f"{sealed.path} has changed since it was looked at; run it again")
        payload = open_body(keys, found["body_key_id"], found["body"], found["container"])
        yield payload if row.now is None else lowered(payload, row.now)
