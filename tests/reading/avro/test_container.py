"""Avro containers: only our schema or one that resolves to it, in bounded memory, past what is damaged."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.errors import Reason
from schemas.registry import raw_schemas
from tests.conftest import DATA, read_rows, run_batch, sample
from tests.support.blocks import joined
from transforms.core.blocks import Block
from transforms.core.reading.avro.container import MAX_BLOCK_BYTES
from transforms.core.reading.payloads import read_blocks

CASES = DATA / "cases"
OURS = raw_schemas()["raw_request.1"]
WHEN = datetime(2026, 3, 29, 10, 15, 33, 120000, tzinfo=UTC)
CODECS = ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]
LINE = json.dumps(sample()).encode()


def schema(changes: dict[str, Any] | None = None, extra: list[Any] | None = None, **top: Any) -> dict[str, Any]:
    """Our schema with other types for some fields (None: without it) and fields of the writer's own before ours."""
    fields = [{"name": f"x{n}", "type": kind} for n, kind in enumerate(extra or [])]
    for field in OURS["fields"]:
        kind = (changes or {}).get(field["name"], field["type"])
        if kind is not None:
            fields.append({"name": field["name"], "type": kind})
    return {"type": "record", "name": "raw_request", "namespace": "suggestion_telemetry", "fields": fields, **top}


def record(**values: Any) -> dict[str, Any]:
    facts = {"received_at": WHEN, "client_ip": "81.2.69.142", "telemetry_level": "all", "snippet_consent": True}
    return {**facts, "content_type": None, "content_encoding": None, "body": LINE, **values}


def container(records: list[Any], writer: dict[str, Any] | None = None, codec: str = "null", sync: int = 1) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, json.loads(json.dumps(writer or schema())), records, codec, sync_interval=sync)
    return out.getvalue()


def raw_container(writer: bytes, blocks: bytes = b"", codec: bytes = b"null") -> bytes:
    """A file with this text as its schema, right or not."""
    head = b"Obj\x01" + number(2)
    for text in (b"avro.schema", writer, b"avro.codec", codec):
        head += number(len(text)) + text
    return head + number(0) + SYNC + blocks


SYNC = b"sixteen bytes ok"


def number(value: int) -> bytes:
    coded, out = (value << 1) ^ (value >> 63), bytearray()
    while coded > 0x7F:
        out.append(coded & 0x7F | 0x80)
        coded >>= 7
    return bytes([*out, coded])


def block(records: bytes, count: int) -> bytes:
    return number(count) + number(len(records)) + records + SYNC


def read(data: bytes) -> Block:
    return joined(read_blocks(lambda: io.BytesIO(data), "memory"))


def reasons(found: Block) -> list[str]:
    return [str(u.reason) for u in found.unreadable]


@pytest.mark.parametrize(
    ("name", "landed", "expected"),
    [
        ("D04-nullable-received-at.avro", 1, {"invalid_record": 1}),
        ("damaged_bzip2.avro", 0, {"damaged_block": 1}),
        ("damaged_xz.avro", 0, {"damaged_block": 1}),
        ("deeplist.avro", 0, {"foreign_schema": 1}),
        ("deepschema.avro", 0, {"foreign_schema": 1}),
        ("nullarray_2e7.avro", 0, {"foreign_schema": 1}),
    ],
)
def test_case_through_the_job_in_a_process_of_its_own(name: str, landed: int, expected: Any, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tests.conftest import run_batch\nbooks = run_batch(*sys.argv[1:])\n"
        "print(books.events, books.landed, dict(books.quarantined))"
    )
    command = [sys.executable, "-c", code, str(CASES / name), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{landed + 1} {landed} {expected}"


def test_null_in_one_record_of_three_lands_the_other_two(tmp_path: Path) -> None:
    nullable = schema({"received_at": ["null", {"type": "long", "logicalType": "timestamp-micros"}]})
    ids = [json.dumps({**sample(), "n": n}).encode() for n in range(3)]
    for document in ids:
        assert document != LINE
    records = [record(body=ids[0]), record(received_at=None, body=ids[1]), record(body=ids[2])]
    (tmp_path / "in.avro").write_bytes(container(records, nullable, sync=10**6))
    books = run_batch(tmp_path / "in.avro", tmp_path / "out")
    assert (books.payloads, books.events, books.landed + books.duplicate) == (3, 3, 2)
    assert dict(books.quarantined) == {"invalid_record": 1}
    (row,) = read_rows(tmp_path / "out", "quarantine")
    assert (row["reason"], row["body"], row["container"]) == ("invalid_record", None, "file")
    assert row["payload_bytes"] > len(ids[1])
    again = run_batch(tmp_path / "in.avro", tmp_path / "out")
    assert (again.landed, again.quarantined) == (books.landed, books.quarantined)


MICROS = int(WHEN.timestamp() * 1e6)
RESOLVING: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ours": (schema(), {}),
    "no namespace": (schema(namespace=""), {}),
    "unions the other way round": (schema({n: ["string", "null"] for n in ("client_ip", "telemetry_level")}), {}),
    "not nullable": (schema({"client_ip": "string", "snippet_consent": "boolean", "telemetry_level": "string"}), {}),
    "text as bytes": (schema({"telemetry_level": ["null", "bytes"], "client_ip": "bytes"}),
                      {"telemetry_level": b"all", "client_ip": b"81.2.69.142"}),
    "body as text": (schema({"body": "string"}), {"body": LINE.decode()}),
    "body nullable": (schema({"body": ["null", "bytes"]}), {}),
    "time nullable": (schema({"received_at": ["null", {"type": "long", "logicalType": "timestamp-micros"}]}), {}),
    "time in millis": (schema({"received_at": {"type": "long", "logicalType": "timestamp-millis"}}), {}),
    "plain long": (schema({"received_at": "long"}), {"received_at": MICROS}),
    "local micros": (schema({"received_at": {"type": "long", "logicalType": "local-timestamp-micros"}}),
                     {"received_at": WHEN.replace(tzinfo=None)}),
    "without what is nullable": (schema({"content_type": None, "content_encoding": None}), {}),
    "primitives beside": (schema(extra=["null", "boolean", "int", "long", "float", "double", "bytes", "string"]),
                          dict(zip((f"x{n}" for n in range(8)), [None, True, -7, 2**40, 1.5, 2.5, b"b", "s"], strict=True))),
    "union beside": (schema(extra=[["null", "int", "string"]]), {"x0": "text"}),
    "array, map, enum, fixed beside": (
        schema(extra=[{"type": "array", "items": "string"}, {"type": "map", "values": ["null", "long"]},
                      {"type": "enum", "name": "E", "symbols": ["a", "b"]}, {"type": "fixed", "name": "F", "size": 5}]),
        {"x0": ["a", "", "b"], "x1": {"k": None, "l": 5}, "x2": "b", "x3": b"12345"}),
    "record beside, named twice": (
        schema(extra=[{"type": "record", "name": "Offset", "fields": [{"name": "a", "type": "long"}]}, "Offset"]),
        {"x0": {"a": 1}, "x1": {"a": 2}}),
    "java's strings": (schema({"client_ip": ["null", {"type": "string", "avro.java.string": "String"}]}), {}),
    "map of nulls": (schema(extra=[{"type": "map", "values": "null"}]), {"x0": {"a": None}}),
}  # fmt: skip


@pytest.mark.parametrize("name", RESOLVING)
@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_schema_that_resolves_to_ours(name: str, codec: str) -> None:
    writer, values = RESOLVING[name]
    found = read(container([record(**values)] * 3, writer, codec))
    assert found.unreadable == []
    assert [tuple(r) for r in found.requests] == 3 * [
        ("2026-03-29T10:15:33.120000+00:00", "81.2.69.142", "all", True, None, None, LINE, True)
    ]


def deep(levels: int, inner: Any = "long") -> Any:
    for _ in range(levels):
        inner = {"type": "array", "items": inner}
    return inner


FOREIGN: dict[str, Any] = {
    "another record": {**schema(), "name": "x"},
    "no record": "string",
    "union of records": [schema()],
    "array of records": {"type": "array", "items": schema()},
    "without body": schema({"body": None}),
    "without time": schema({"received_at": None}),
    "time as text": schema({"received_at": "string"}),
    "time as float": schema({"received_at": "double"}),
    "time of day": schema({"received_at": {"type": "long", "logicalType": "time-micros"}}),
    "date": schema({"received_at": {"type": "int", "logicalType": "date"}}),
    "level as number": schema({"telemetry_level": "int"}),
    "level as null or number": schema({"telemetry_level": ["null", "int", "double"]}),
    "consent as text": schema({"snippet_consent": ["null", "string"]}),
    "body as array": schema({"body": {"type": "array", "items": "int"}}),
    "array of nulls": schema(extra=[{"type": "array", "items": "null"}]),
    "array of empty records": schema(extra=[{"type": "array", "items": {"type": "record", "name": "R", "fields": []}}]),
    "array of fixed 0": schema(extra=[{"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}]),
    "refers to itself": schema(extra=["raw_request"]),
    "list": schema(extra=[{"type": "record", "name": "L", "fields": [{"name": "n", "type": ["null", "L"]}]}]),
    "map of itself": schema(extra=[{"type": "record", "name": "L", "fields": [
        {"name": "n", "type": {"type": "map", "values": "L"}}]}]),
    "a name defined twice": schema(extra=[{"type": "fixed", "name": "F", "size": 2}, {"type": "fixed", "name": "F", "size": 3}]),
    "unknown name": schema(extra=["Nobody"]),
    "deep": schema(extra=[deep(200)]),
    "deep records": schema(extra=[deep(40, {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]})]),
    "wrapped types": schema(extra=[{"type": {"type": {"type": {"type": {"type": {"type": {"type": {
        "type": {"type": {"type": {"type": {"type": {"type": {"type": "int"}}}}}}}}}}}}}}]),
    "field twice": schema(fields=[*OURS["fields"], OURS["fields"][0]]),
    "long": schema(doc="x" * 100_000),
    "negative fixed": schema(extra=[{"type": "fixed", "name": "F", "size": -9}]),
    "type is a list of lists": schema(extra=[[["null"]] * 3, 5]),
    "fields is no list": schema(fields={"a": 1}),
    "number": 5,
    "null": None,
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_schema_is_told_before_a_record_is_read(name: str) -> None:
    data = raw_container(json.dumps(FOREIGN[name]).encode(), block(b"\x02" * 100, 100))
    found = read(data)
    assert found.requests == []
    assert [(u.reason, u.payload_bytes) for u in found.unreadable] == [(Reason.FOREIGN_SCHEMA, len(data))]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 60_000, b'{"type":' * 7000], ids=range(5))
def test_schema_that_is_no_json(text: bytes) -> None:
    assert reasons(read(raw_container(text))) == ["foreign_schema"]


def named_bomb() -> dict[str, Any]:
    """Each record holds the one before it sixteen times; the innermost one takes no byte."""
    kinds: list[Any] = [
        {"type": "record", "name": "R0", "fields": [{"name": f"n{i}", "type": "null"} for i in range(16)]}
    ]
    for level in range(1, 9):
        fields = [{"name": f"n{i}", "type": f"R{level - 1}"} for i in range(16)]
        kinds.append({"type": "record", "name": f"R{level}", "fields": fields})
    return schema(extra=kinds)


def test_nulls_multiplied_by_names_cost_nothing() -> None:
    body = schema()["fields"]
    assert len(body) == 7
    values = number(MICROS) + b"\0\0\0\0\0" + number(2) + b"{}"
    found = read(raw_container(json.dumps(named_bomb()).encode(), block(values * 1000, 1000)))
    assert len(found.requests) == 1000


@pytest.mark.parametrize(
    ("values", "is_read"),
    [
        ({"received_at": 253402300799999999}, True),
        ({"received_at": 253402300800000000}, False),
        ({"received_at": -62135596800000000}, True),
        ({"received_at": -(2**63)}, False),
        ({"received_at": 2**63 - 1}, False),
        ({"received_at": 0}, True),
    ],
)
def test_times_at_the_edges_of_the_calendar(values: dict[str, Any], is_read: bool, tmp_path: Path) -> None:
    data = container([record(**values)], schema({"received_at": "long"}))
    found = read(data)
    assert (len(found.requests), reasons(found)) == ((1, []) if is_read else (0, ["invalid_record"]))
    (tmp_path / "in.avro").write_bytes(data)
    books = run_batch(tmp_path / "in.avro", tmp_path / "out")
    assert dict(books.quarantined) == {"missing_received_at" if is_read else "invalid_record": 1}


def test_values_of_other_branches_are_invalid_in_their_record_alone() -> None:
    writer = schema({"telemetry_level": ["null", "int", "string"], "body": ["null", "bytes", "long"]})
    values = [{"telemetry_level": 3}, {}, {"body": None}, {"body": 5}, {"telemetry_level": "off"}]
    found = read(container([record(**v) for v in values], writer, sync=10**6))
    assert [r.telemetry_level for r in found.requests] == ["all", "off"]
    assert reasons(found) == ["invalid_record"] * 3
    assert len({u.identity for u in found.unreadable}) == 3


def test_text_that_is_no_utf8_and_a_boolean_that_is_neither() -> None:
    writer = schema({"client_ip": "bytes", "snippet_consent": "boolean"})
    data = container([record(client_ip=b"\xff\xed\xa0\x80")], writer)
    assert read(data).requests[0].client_ip == "\ufffd\ufffd\ufffd\ufffd"
    assert reasons(read(data.replace(b"\x02\x06all\x01", b"\x02\x06all\x07"))) == ["invalid_record"]


@pytest.mark.parametrize("codec", CODECS)
def test_reading_goes_on_behind_a_damaged_block(codec: str) -> None:
    bodies = [json.dumps({"n": n, "padding": "x" * 200}).encode() for n in range(40)]
    data = container([record(body=b) for b in bodies], codec=codec, sync=2000)
    sync = data[-16:]
    ends = [at for at in range(len(data)) if data.startswith(sync, at)]
    assert len(ends) > 4
    middle = ends[1] + 16
    wounded = data[:middle] + b"\xff" * 30 + data[middle + 30 :]
    found = read(wounded)
    whole = read(data)
    assert found.requests == [r for r in whole.requests if r in found.requests]
    assert 0 < len(whole.requests) - len(found.requests) <= 10
    assert reasons(found) == ["damaged_block"]
    assert found.unreadable[0].payload_bytes == ends[2] - middle
    assert read(wounded) == found


def test_two_damaged_blocks_are_two_rows_and_the_same_ones_again(tmp_path: Path) -> None:
    data = bytearray(container([record(body=json.dumps({**sample(), "n": n}).encode()) for n in range(9)]))
    sync = bytes(data[-16:])
    ends = [at for at in range(len(data)) if data.startswith(sync, at)]
    for end in (ends[2], ends[5]):
        data[end : end + 3] = b"???"
    (tmp_path / "in.avro").write_bytes(data)
    books = run_batch(tmp_path / "in.avro", tmp_path / "out")
    assert dict(books.quarantined) == {"damaged_block": 2}
    assert len({row["payload_id"] for row in read_rows(tmp_path / "out", "quarantine")}) == 2
    before = read_rows(tmp_path / "out", "quarantine")
    run_batch(tmp_path / "in.avro", tmp_path / "out")
    assert [r["payload_id"] for r in read_rows(tmp_path / "out", "quarantine")] == [r["payload_id"] for r in before]


def test_records_before_a_broken_one_in_a_block_are_read() -> None:
    good = number(MICROS) + b"\0\0\0\0\0" + number(2) + b"{}"
    found = read(
        raw_container(json.dumps(schema()).encode(), block(good * 3 + b"\xff" * 40 + good, 5) + block(good, 1))
    )
    assert len(found.requests) == 4
    assert [(u.reason, u.payload_bytes) for u in found.unreadable] == [(Reason.DAMAGED_BLOCK, 40 + len(good))]


@pytest.mark.parametrize(("count", "expected"), [(2, 1), (4, 1), (-1, 1), (0, 1), (2**40, 1)])
def test_a_count_that_does_not_fit(count: int, expected: int) -> None:
    good = number(MICROS) + b"\0\0\0\0\0" + number(2) + b"{}"
    text = json.dumps(schema()).encode()
    found = read(raw_container(text, block(good * 3, count) + block(good, 1)))
    assert len(found.unreadable) == expected
    assert set(reasons(found)) == {"damaged_block"}
    assert 1 <= len(found.requests) <= 4


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (raw_container(json.dumps(schema()).encode()), []),
        (raw_container(json.dumps(schema()).encode())[:-1], ["unreadable_container"]),
        (raw_container(json.dumps(schema()).encode(), codec=b"lz77"), ["unreadable_container"]),
        (raw_container(json.dumps(schema()).encode(), codec=b""), []),
        (raw_container(json.dumps(schema()).encode(), b"trailing rubbish"), ["unreadable_container"]),
        (raw_container(json.dumps(schema()).encode(), b"trailing rubbish" * 9), ["damaged_block"]),
        (b"Obj\x01" + number(0) + SYNC, ["foreign_schema"]),
        (b"Obj\x01" + number(2**50), ["unreadable_container"]),
        (b"Obj\x01" + number(1) + number(2**40), ["unreadable_container"]),
        (b"Obj\x01" + b"\xff" * 50, ["unreadable_container"]),
    ],
    ids=[
        "no blocks",
        "cut header",
        "codec",
        "empty codec",
        "short rubbish",
        "rubbish",
        "no schema",
        "count",
        "key",
        "junk",
    ],
)
def test_heads_and_ends(data: bytes, expected: list[str]) -> None:
    found = read(data)
    assert found.requests == []
    assert reasons(found) == expected


def run_in_bounds(data: bytes, folder: Path) -> tuple[list[str], int, float]:
    """Reasons, peak memory in MB above that of nothing, CPU seconds, of reading a file in a process of its own."""
    (folder / "in.avro").write_bytes(data)
    code = (
        "import resource, sys, time\nfrom transforms.core.reading.payloads import read_blocks\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before, began = peak(), time.process_time()\n"
        "found = [str(u.reason) for b in read_blocks(lambda: open(sys.argv[1], 'rb'), 'x') for u in b.unreadable]\n"
        "print(*sorted(set(found)), peak() - before, time.process_time() - began)"
    )
    command = [sys.executable, "-c", code, str(folder / "in.avro")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    *found, peak_mb, cpu_s = done.stdout.split()
    return found, int(peak_mb), float(cpu_s)


@pytest.mark.parametrize("codec", ["deflate", "zstandard", "bzip2", "xz"])
def test_block_that_inflates_to_a_gigabyte(codec: str, tmp_path: Path) -> None:
    good = number(MICROS) + b"\0\0\0\0\0" + number(2) + b"{}"
    bomb = _bomb(codec)
    assert len(bomb) < 2_000_000
    text, small = json.dumps(schema()).encode(), _pack(codec, good)
    data = raw_container(text, block(bomb, 1) + block(small, 1), codec.encode())
    found, peak_mb, cpu_s = run_in_bounds(data, tmp_path)
    assert (found, [r.body for r in read(data).requests]) == (["payload_too_large"], [b"{}"])
    assert peak_mb < 150
    assert cpu_s < 20


def _pack(codec: str, data: bytes) -> bytes:
    import bz2
    import lzma
    import zlib

    import zstandard

    packers = {"deflate": lambda d: zlib.compress(d, 9, -15), "zstandard": zstandard.compress, "bzip2": bz2.compress,
               "xz": lambda d: lzma.compress(d, preset=0)}  # fmt: skip
    return packers[codec](data)


def _bomb(codec: str) -> bytes:
    import bz2
    import lzma
    import zlib

    import zstandard

    packer: Any = {"deflate": lambda: zlib.compressobj(9, zlib.DEFLATED, -15), "bzip2": bz2.BZ2Compressor,
                   "zstandard": lambda: zstandard.ZstdCompressor().compressobj(),
                   "xz": lambda: lzma.LZMACompressor(preset=0)}[codec]()  # fmt: skip
    size_mb = 256 if codec in ("xz", "bzip2") else 1024
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size_mb)) + packer.flush()


def test_snappy_that_claims_a_gigabyte(tmp_path: Path) -> None:
    claims = b"\x80\x80\x80\x80\x04" + b"\0" * 20
    found = read(raw_container(json.dumps(schema()).encode(), block(claims, 1), b"snappy"))
    assert reasons(found) == ["payload_too_large"]


def test_snappy_with_a_wrong_checksum() -> None:
    data = container([record()], codec="snappy")
    assert reasons(read(data)) == []
    assert reasons(read(data[:-17] + bytes([data[-17] ^ 1]) + data[-16:])) == ["damaged_block"]


def test_block_longer_than_the_bound_is_passed_over() -> None:
    good = number(MICROS) + b"\0\0\0\0\0" + number(2) + b"{}"
    huge = bytes(MAX_BLOCK_BYTES + 1)
    found = read(raw_container(json.dumps(schema()).encode(), block(good, 1) + block(huge, 1) + block(good, 1)))
    assert (len(found.requests), reasons(found)) == (2, ["payload_too_large"])


def test_millions_of_the_smallest_records_take_bounded_memory(tmp_path: Path) -> None:
    nothing = number(0) + b"\0\0\0\0\0" + number(0)
    text = json.dumps(schema({"received_at": ["long", "null"]})).encode()
    data = raw_container(text, block(_pack("zstandard", (b"\x02" + nothing[1:]) * 1_000_000), 1_000_000), b"zstandard")
    found, peak_mb, _ = run_in_bounds(data, tmp_path)
    assert found == ["invalid_record"]
    assert peak_mb < 250


def test_blocks_that_promise_much_and_end_soon_cost_linear_time(tmp_path: Path) -> None:
    lie = number(1) + number(60 * 1024 * 1024) + SYNC
    data = raw_container(json.dumps(schema()).encode(), lie * 100_000)
    found, peak_mb, cpu_s = run_in_bounds(data, tmp_path)
    assert found == ["damaged_block"]
    assert peak_mb < 150
    assert cpu_s < 10
