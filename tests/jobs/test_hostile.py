"""Hostile input beside good input: refused, or quarantined and counted; nothing lost, memory bounded, nothing
else affected."""

import gzip
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from schemas.errors import StorageUnavailable
from tests.conftest import KEY_RING, all_rows, read_rows, run_batch, sample, write_lines
from transforms.core import storage
from transforms.core.blocks import MAX_PAYLOAD_BYTES
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.roles import STANDING

GOOD = [sample("displays/pass/ghostText.shown"), sample("outcomes/pass/ghostText.accepted")]
MEMORY_MB = 420
"""More than a run of nothing needs (300), far less than what the input pretends to be."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    write_lines(tmp_path / "raw" / "good.ndjson", GOOD)
    return tmp_path


def run_in_a_process(folder: Path) -> tuple[str, int]:
    """The job in a process of its own: what it printed, and its peak memory in MB."""
    code = (
        "from pipelines import batch\nfrom pipelines.running.command import run_job\n"
        "def main(argv):\n    batch.main(argv)\n"
        "    print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
        "run_job(main)"
    )
    flags = [f"--input={folder}/raw", f"--output={folder}/out", f"--key_ring={KEY_RING}", "--buckets=4"]
    flags.append("--max_quarantined_share=100%")
    done = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed, _, peak_mb = done.stdout.strip().rpartition("\n")
    return printed, int(peak_mb.split()[1]) // 1024


def assert_good_rows_landed(folder: Path) -> None:
    run_batch(folder / "raw" / "good.ndjson", folder / "alone")
    for dataset in ("displays", "outcomes"):
        assert all_rows(folder / "out")[dataset] == all_rows(folder / "alone")[dataset]


def reasons(folder: Path) -> list[str]:
    return sorted(r["reason"] for r in read_rows(folder / "out", "quarantine"))


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_bomb_of_a_gigabyte(folder: Path, compress: object) -> None:
    data = _bomb_gzip() if compress is gzip.compress else zstandard.ZstdCompressor(level=1).compress(bytes(1 << 30))
    assert len(data) < 5_000_000
    (folder / "raw" / "bomb.ndjson.gz").write_bytes(data)
    printed, peak_mb = run_in_a_process(folder)
    assert "2 landed" in printed
    assert reasons(folder) == ["payload_too_large"]
    assert peak_mb < MEMORY_MB
    assert_good_rows_landed(folder)


def _bomb_gzip() -> bytes:
    import zlib

    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()


def test_bomb_inside_a_request(folder: Path) -> None:
    import io
    from datetime import UTC, datetime

    import fastavro

    from schemas.registry import raw_schemas

    record = {"received_at": datetime(2026, 3, 29, tzinfo=UTC), "client_ip": None, "telemetry_level": "all",
              "snippet_consent": None, "content_type": None, "content_encoding": "gzip", "body": _bomb_gzip()}  # fmt: skip
    out = io.BytesIO()
    fastavro.writer(out, raw_schemas()["raw_request.1"], [record], codec="deflate")
    (folder / "raw" / "bomb.avro").write_bytes(out.getvalue())
    _, peak_mb = run_in_a_process(folder)
    assert reasons(folder) == ["payload_too_large"]
    assert peak_mb < MEMORY_MB
    assert_good_rows_landed(folder)


def test_line_of_100_mb(folder: Path) -> None:
    with (folder / "raw" / "long.ndjson").open("wb") as file:
        file.write(json.dumps(GOOD[0]).encode()[:-2])
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"\n")
    _, peak_mb = run_in_a_process(folder)
    (row,) = read_rows(folder / "out", "quarantine")
    assert (row["reason"], row["body"]) == ("payload_too_large", None)
    assert row["payload_bytes"] > 100 << 20
    assert peak_mb < MEMORY_MB
    assert_good_rows_landed(folder)


HOSTILE_LINES = {
    "deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "utf8": b'{"name": "\xff\xfe"}',
    "nan": b'{"data": {"baseData": {"name": "x", "measurements": {"compCharLen": NaN}}}}',
    "infinite": b'{"data": {"baseData": {"name": "x", "measurements": {"compCharLen": 1e999}}}}',
    "surrogate": b'{"name": "\\ud800"}',
    "zero byte": b"\x00" * 300,
    "almost at the limit": b"[" + b"1," * (MAX_PAYLOAD_BYTES // 2 - 2) + b"1]",
}


@pytest.mark.parametrize("name", HOSTILE_LINES)
def test_hostile_line(folder: Path, name: str) -> None:
    write_lines(folder / "raw" / "hostile.ndjson", [HOSTILE_LINES[name]])
    books = run_batch(folder / "raw", folder / "out")
    assert (books.events, books.landed) == (3, 2)
    assert books.quarantined.total() + books.withheld["off"] == 1
    assert_good_rows_landed(folder)


def changed(**measurements: object) -> bytes:
    document = sample("persistence_checks/pass/ghostText.stillInCode")
    document["data"]["baseData"]["measurements"] |= measurements
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (changed(timeout=2**31), "invalid_value"),
        (changed(timeout=-(2**70)), "invalid_value"),
        (changed(insertionOffset=1e300), "invalid_value"),
        (changed(insertionOffset=-5), None),
        (changed(relativeLexEditDistance=-1e300), None),
        (changed(timeout=30.0), None),
        (changed().replace(b'"timeout": 30', b'"timeout": 30, "timeout": 15'), None),
    ],
    ids=["too large", "too small", "huge", "negative offset", "negative huge float", "whole float", "key twice"],
)
def test_numbers_and_keys(folder: Path, line: bytes, reason: str | None) -> None:
    write_lines(folder / "raw" / "numbers.ndjson", [line])
    books = run_batch(folder / "raw", folder / "out")
    assert books.landed == (2 if reason else 3)
    assert dict(books.quarantined) == ({reason: 1} if reason else {})


def test_key_that_comes_twice_counts_as_its_last(folder: Path) -> None:
    line = changed().replace(b'"timeout": 30', b'"timeout": 30, "timeout": 15')
    run_batch(write_lines(folder / "raw" / "twice.ndjson", [line]), folder / "out")
    assert [r["check_s"] for r in read_rows(folder / "out", "persistence_checks")] == [15]


def test_times_and_numbers_at_their_ends_make_lives(folder: Path) -> None:
    """Found by fuzzing: what is far apart is more than a double holds exactly, and Arrow's casts refuse that.

    The last end lies in the year 0 of UTC, which no reader in Python can show: it is no time, whatever lands beside it.
    """
    ends = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00")
    huge = {"lexEditDistance": 2**60, "completionLexLength": 2**61, "compCharLen": 2**53 + 2, "timeToProduceMs": 1e308}
    names = (
        "displays/pass/ghostText.shown",
        "outcomes/pass/ghostText.accepted",
        "persistence_checks/pass/ghostText.stillInCode",
    )
    documents = []
    for number, (shown, decided) in enumerate(itertools.product(ends, ends)):
        for event, (name, time) in enumerate(zip(names, (shown, decided, decided), strict=True)):
            document = {**sample(name), "time": time}
            base = document["data"]["baseData"]
            base["properties"] |= {"unique_id": f"{number}.{event}", "clientCompletionId": f"life {number}"}
            base["measurements"] |= huge
            documents.append(document)
    books = run_batch(write_lines(folder / "ends.ndjson", documents), folder / "out", "--close_open_suggestions")
    assert (books.landed, books.rows["suggestions"], dict(books.quarantined)) == (18, 8, {"invalid_value": 9})
    assert len(read_rows(folder / "out", "suggestions")) == 8


def test_truncated_files_give_what_they_hold(folder: Path) -> None:
    lines = b"".join(json.dumps(d).encode() + b"\n" for d in GOOD)
    (folder / "raw" / "good.ndjson").unlink()
    (folder / "raw" / "cut.gz").write_bytes(gzip.compress(lines)[:-5])
    books = run_batch(folder / "raw", folder / "out")
    assert (books.landed, dict(books.quarantined)) == (2, {"unreadable_container": 1})


def test_empty_folder_is_refused_and_empty_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(StorageUnavailable, match="no such file, folder or match"):
        run_batch(tmp_path / "raw", tmp_path / "out")
    (tmp_path / "raw" / "empty.ndjson").touch()
    assert run_batch(tmp_path / "raw", tmp_path / "out").events == 0


def test_file_that_vanishes_stops_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expand = storage.expand_inputs

    def then_vanish(patterns: list[str]) -> list[storage.SourceFile]:
        found = expand(patterns)
        (folder / "raw" / "good.ndjson").unlink()
        return found

    monkeypatch.setattr(storage, "expand_inputs", then_vanish)
    with pytest.raises(StorageUnavailable, match=r"cannot read .*good\.ndjson: No such file"):
        run_batch(folder / "raw", folder / "out")
    assert not list((folder / "out").glob("*/*/*.parquet"))


def test_file_that_grows_is_told_and_the_next_run_lands_the_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "raw" / "good.ndjson"
    expand = storage.expand_inputs

    def then_grow(patterns: list[str]) -> list[storage.SourceFile]:
        found = expand(patterns)
        with path.open("ab") as file:
            file.write(json.dumps(sample("requests/pass/request.sent")).encode() + b"\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(storage, "expand_inputs", then_grow)
        with pytest.raises(StorageUnavailable, match=r"good\.ndjson changed while it was read: run again"):
            run_batch(folder / "raw", folder / "out")
    books = run_batch(folder / "raw", folder / "out")
    assert books.landed + books.duplicate == 3
    assert sum(len(read_rows(folder / "out", d)) for d in ("displays", "outcomes", "requests")) == 3


def test_quarantined_body_opens_with_the_operators_key_and_is_the_payload(folder: Path) -> None:
    line = b'{"collector": {"telemetry_level": "all", "snippet_consent": true}, "name": "cut in the mid'
    run_batch(write_lines(folder / "raw" / "bad.ndjson", [line]), folder / "out")
    (row,) = read_rows(folder / "out", "quarantine")
    keys = load_private(f"{KEY_RING}/private/operators.json")
    assert keys.open(STANDING, row["body"]) == line
    assert (row["container"], row["payload_bytes"], row["body_key_id"]) == ("ndjson", len(line), STANDING)
