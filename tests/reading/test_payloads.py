"""Containers: told apart by content, read to the last byte that can be read, whatever the cuts."""

import bz2
import gzip
import io
import lzma
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Reason, StorageUnavailable
from schemas.registry import raw_schemas
from tests.conftest import DATA, run_batch
from tests.support.blocks import joined
from transforms.core.blocks import MAX_PAYLOAD_BYTES, Block
from transforms.core.ranges import Range
from transforms.core.reading.file_kinds import START_BYTES
from transforms.core.reading.payloads import is_plain, read_blocks, read_range

LINES = [b'{"n":%d}' % n for n in range(5000)]
TEXT = b"".join(line + b"\n" for line in LINES)


def read(data: bytes) -> Block:
    return joined(read_blocks(lambda: io.BytesIO(data), "memory"))


def avro(bodies: list[bytes], codec: str = "deflate") -> bytes:
    out = io.BytesIO()
    facts = {"client_ip": "8.8.8.8", "telemetry_level": "all", "snippet_consent": True, "content_type": None}
    facts |= {"content_encoding": None, "received_at": datetime(2026, 3, 29, 10, tzinfo=UTC)}
    records = [{**facts, "body": body} for body in bodies]
    fastavro.writer(out, raw_schemas()["raw_request.1"], records, codec=codec, sync_interval=2000)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        TEXT[:-1],
        b"\xef\xbb\xbf" + TEXT,
        TEXT.replace(b"\n", b"\n\n  \n"),
        gzip.compress(TEXT),
        gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
        zstandard.compress(TEXT),
        zstandard.compress(TEXT[:1000]) + zstandard.compress(TEXT[1000:]),
    ],
    ids=["plain", "no last newline", "bom", "blank lines", "gzip", "gzip members", "zstd", "zstd frames"],
)
def test_lines_of_any_compression(data: bytes) -> None:
    block = read(data)
    assert block.lines == LINES
    assert block.unreadable == []


SKIPPABLE = b"\x50\x2a\x4d\x18\x08\x00\x00\x00whatever"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT[:1000]) + bytes(511) + gzip.compress(TEXT[1000:]) + bytes(512),
        gzip.compress(b"") + gzip.compress(TEXT) + gzip.compress(b""),
        b"".join(gzip.compress(TEXT[at : at + 100]) for at in range(0, len(TEXT), 100)),
        SKIPPABLE + zstandard.compress(TEXT),
        zstandard.compress(TEXT[:1000]) + SKIPPABLE + zstandard.compress(TEXT[1000:]) + SKIPPABLE,
        b"\x5f" + SKIPPABLE[1:] + SKIPPABLE + zstandard.compress(TEXT),
        gzip.compress(gzip.compress(TEXT)),
        zstandard.compress(gzip.compress(TEXT)),
        TEXT.decode().encode("utf-16"),
        b"\xfe\xff" + TEXT.decode().encode("utf-16-be"),
        gzip.compress(TEXT.decode().encode("utf-32")),
        b"\xef\xbb\xbf" + TEXT[: TEXT.index(LINES[150])] + b"\xef\xbb\xbf" + TEXT[TEXT.index(LINES[150]) :],
    ],
    ids=["gzip zeros", "empty members", "bgzf", "skippable first", "skippable between", "skippable twice",
         "gzip twice", "gzip in zstd", "utf-16", "utf-16 be", "utf-32 in gzip", "bom in the middle"],
)  # fmt: skip
def test_lines_as_tools_leave_them(data: bytes) -> None:
    block = read(data)
    assert block.unreadable == []
    assert block.lines == LINES


def test_only_skippable_frames_hold_nothing() -> None:
    assert read(SKIPPABLE * 3) == Block()


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_what_stands_behind_the_last_member_is_told(compress: object) -> None:
    block = read(compress(TEXT) + b"no member")  # type: ignore[operator]
    assert block.lines == LINES
    assert [u.reason for u in block.unreadable] == [Reason.UNREADABLE_CONTAINER]


def test_window_of_2_gb_is_refused_and_one_of_64_mb_is_read() -> None:
    from backports import zstd

    for log, expected in ((26, LINES), (31, [])):
        packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
        block = read(packer.compress(TEXT, zstd.ZstdCompressor.FLUSH_BLOCK) + packer.flush())
        assert block.lines == expected
        assert bool(block.unreadable) is (not expected)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_damage_in_the_middle_gives_what_stands_before_it(compress: object) -> None:
    import random

    text = b"".join(b"%s\n" % random.Random(n).randbytes(300).hex().encode() for n in range(3000))
    data = bytearray(compress(text))  # type: ignore[operator]
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    block = read(bytes(data))
    assert [u.reason for u in block.unreadable] == [Reason.UNREADABLE_CONTAINER]
    assert len(block.lines) > 1000
    assert block.lines[:1000] == text.split(b"\n")[:1000]


def _tar() -> bytes:
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("events.ndjson")
        info.size = len(TEXT)
        tar.addfile(info, io.BytesIO(TEXT))
    return out.getvalue()


def _zip() -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("events.ndjson", TEXT)
    return out.getvalue()


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), out)
    return out.getvalue()


@pytest.mark.parametrize("data", [bz2.compress(TEXT), lzma.compress(TEXT), _tar(), gzip.compress(_tar()), _zip(), _parquet()],
                         ids=["bzip2", "xz", "tar", "tar.gz", "zip", "parquet"])  # fmt: skip
def test_container_that_is_none_of_ours_is_one_mark_with_its_size(data: bytes) -> None:
    block = read(data)
    assert (block.lines, block.requests) == ([], [])
    assert [(u.reason, u.payload_bytes) for u in block.unreadable] == [(Reason.UNREADABLE_CONTAINER, len(data))]
    assert not is_plain(data[:START_BYTES])


@pytest.mark.parametrize("codec", ["null", "deflate", "zstandard", "snappy", "bzip2", "xz"])
@pytest.mark.parametrize("wrap", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_requests_of_an_avro_container(codec: str, wrap: object) -> None:
    block = read(wrap(avro(LINES[:500], codec)))  # type: ignore[operator]
    assert [r.body for r in block.requests] == LINES[:500]
    assert block.requests[0].received_at == "2026-03-29T10:00:00+00:00"
    assert block.unreadable == []


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize("lost", [1, 5, 50, 2000])
def test_truncated_file_gives_what_can_be_read_and_one_mark(compress: object, lost: int) -> None:
    data = compress(TEXT)  # type: ignore[operator]
    block = read(data[:-lost])
    assert block.lines == LINES[: len(block.lines)]
    assert [u.reason for u in block.unreadable] == [Reason.UNREADABLE_CONTAINER]
    if compress is gzip.compress and lost == 5:
        assert len(block.lines) == len(LINES)  # only the checksum is missing


@pytest.mark.parametrize("lost", [1, 20, 3000])
def test_truncated_avro_gives_whole_blocks_and_one_mark(lost: int) -> None:
    block = read(avro(LINES[:500], "null")[:-lost])
    assert [r.body for r in block.requests] == LINES[: len(block.requests)]
    assert [u.reason for u in block.unreadable] == [Reason.UNREADABLE_CONTAINER]


@pytest.mark.parametrize(
    "data",
    [b"\x1f\x8bjunk", b"\x28\xb5\x2f\xfdjunk", b"Obj\x01junk", b"Obj\x01", gzip.compress(b"Obj\x01junk"), b"\x1f\x8b"],
    ids=["gzip", "zstd", "avro", "short avro", "avro in gzip", "short gzip"],
)
def test_junk_behind_a_magic_number_is_one_mark(data: bytes) -> None:
    block = read(data)
    assert (block.lines, block.requests) == ([], [])
    assert [u.reason for u in block.unreadable] == [Reason.UNREADABLE_CONTAINER]


def test_empty_file_holds_nothing() -> None:
    assert read(b"") == Block()
    assert read(gzip.compress(b"")) == Block()
    assert read(b"\n") == Block()


def test_line_over_the_limit_is_passed_over_and_counted() -> None:
    huge = b"x" * (MAX_PAYLOAD_BYTES + 1)
    block = read(b"a\n" + huge + b"\nb\n")
    assert block.lines == [b"a", b"b"]
    assert [(u.reason, u.payload_bytes) for u in block.unreadable] == [(Reason.PAYLOAD_TOO_LARGE, len(huge))]


def test_storage_errors_are_not_taken_for_damage() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100:
                raise OSError(5, "Input/output error")
            return super().read(min(size or 100, 100))

    for data in (TEXT, gzip.compress(TEXT), avro(LINES)):
        with pytest.raises(StorageUnavailable, match="cannot read memory: Input/output error"):
            list(read_blocks(lambda data=data: Failing(data), "memory"))


MARKED = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"a", b"\x00", b"\xe2\x80\xa8"]) | st.binary(max_size=9)
)


@given(MARKED.map(b"".join), st.integers(1, 40))
def test_cutting_a_file_into_ranges_changes_nothing(data: bytes, range_bytes: int) -> None:
    whole = read(data)
    parts = [Range("memory", at, at + range_bytes) for at in range(0, len(data), range_bytes)]
    lines = [line for part in parts for b in read_range(lambda: io.BytesIO(data), part) for line in b.lines]
    if is_plain(data[:4]):
        assert lines == whole.lines


def test_ranges_inside_one_long_line() -> None:
    data = b"a\n" + b"x" * 1000 + b"\nb\n"
    found = [
        [line[:2] for b in read_range(lambda: io.BytesIO(data), Range("memory", at, at + 100)) for line in b.lines]
        for at in range(0, len(data), 100)
    ]
    assert found == [[b"a", b"xx"], *[[]] * 9, [b"b"]]


def test_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.avro"
    path.write_bytes(gzip.compress(TEXT))
    assert sum(len(b.lines) for b in read_blocks(lambda: path.open("rb"), str(path))) == len(LINES)


def test_case_zstd_that_begins_with_a_skippable_frame(tmp_path: Path) -> None:
    books = run_batch(DATA / "cases" / "B16-zstd-skippable-first.ndjson.zst", tmp_path / "out")
    assert (books.payloads, books.landed, books.quarantined.total()) == (2, 2, 0)
