"""The books know by themselves what came in: whatever is lost, doubled or half read on the way is told, and where."""

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipelines import batch, verify
from pipelines.runners import known
from pipelines.running import input_run
from schemas.errors import StorageUnavailable, UnbalancedBooks
from tests.conftest import all_rows, run_batch, sample, write_lines
from tests.support.generated import generated_raw
from transforms.core import blocks, storage
from transforms.core.decoding.decoded import DecodedPart
from transforms.core.output.input_list import is_list, list_input, saved_lists
from transforms.core.output.layout import Output
from transforms.core.ranges import Range
from transforms.core.reading import lines, payloads, streams
from transforms.core.reading.payloads import read_range
from transforms.core.reading.range_marks import marked
from transforms.steps import group_by_bucket, read_payloads

RANGE_BYTES = 100_000
DROPPING = "--runner=tests.support.dropping_runner.DroppingRunner"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_raw(tmp_path_factory, 1_000, seed=7)


@pytest.fixture(autouse=True)
def many_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "RANGE_BYTES", RANGE_BYTES)
    monkeypatch.setattr("transforms.core.ranges.SMALLEST_SHARE_BYTES", 1)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 70_000)
    for module in (payloads, streams):
        monkeypatch.setattr(module, "CHUNK_BYTES", 4096)


def refused(raw: Path, output: Path, *flags: str) -> str:
    """What the run said, where its books must not balance; `verify` must say the same from storage."""
    with pytest.raises(UnbalancedBooks) as told:
        run_batch(raw, output, *flags)
    with pytest.raises(UnbalancedBooks, match="do not balance"):
        verify.main([f"--datasets={output}"])
    return str(told.value)


def of_file(name: str, change: Callable[[Iterator[Any]], Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A reader that treats one file's blocks otherwise."""

    def read(open_file: Any, part: Range) -> Iterator[Any]:
        blocks_read = read_range(open_file, part)
        return change(blocks_read) if part.path.endswith(name) and part.start == 0 else blocks_read

    return read


def test_whole_input_balances_and_its_list_is_the_same_twice(raw: Path, tmp_path: Path) -> None:
    run_batch(raw, tmp_path / "out")
    (before,) = (tmp_path / "out" / "_inputs").glob("*.json")
    data, rows = before.read_bytes(), all_rows(tmp_path / "out")
    run_batch(raw, tmp_path / "out")
    assert before.read_bytes() == data
    assert all_rows(tmp_path / "out") == rows
    verify.main([f"--datasets={tmp_path}/out"])
    (listed,) = saved_lists(Output(str(tmp_path / "out")))
    assert sum(len(f.ranges) for f in listed.files) > len(listed.files) == 4


@pytest.mark.parametrize("name", [".ndjson", ".ndjson.gz", ".ndjson.zst", ".avro"])
def test_a_range_that_is_read_in_half(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(read_payloads, "read_range", of_file(name, lambda found: islice(found, 1)))
    told = refused(raw, tmp_path / "out")
    assert f"{name}: was read in part, " in told


@pytest.mark.parametrize("name", [".ndjson", ".ndjson.gz", ".ndjson.zst", ".avro"])
def test_a_block_that_is_lost_between_reading_and_decoding(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def losing(read: Any, open_file: Any, part: Range) -> Iterator[Any]:
        found = list(marked(read, open_file, part))
        return iter(found[1:] if part.path.endswith(name) else found)

    monkeypatch.setattr(read_payloads, "marked", losing)
    told = refused(raw, tmp_path / "out")
    assert "payloads, " in told
    if name == ".ndjson":  # a decompressor may read on before it gives a block
        assert f"{name}: was read in part" in told


def test_a_chunk_that_is_not_cut_into_lines(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = lines.LineCutter.feed

    def losing(self: lines.LineCutter, chunk: bytes) -> bool:
        return feed(self, chunk[: chunk.rindex(b"\n", 0, -1) + 1]) if chunk.count(b"\n") > 1 else feed(self, chunk)

    monkeypatch.setattr(lines.LineCutter, "feed", losing)
    assert ".ndjson: was read in part" in refused(raw, tmp_path / "out")


def test_a_range_that_is_lost(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(read: Any, open_file: Any, part: Range) -> Any:
        return iter(()) if part.start == RANGE_BYTES else marked(read, open_file, part)

    monkeypatch.setattr(read_payloads, "marked", losing)
    (size_bytes,) = {path.stat().st_size for path in raw.iterdir() if path.stat().st_size > RANGE_BYTES}
    end = min(2 * RANGE_BYTES, size_bytes)
    assert f"bytes {RANGE_BYTES} to {end}: was not read" in refused(raw, tmp_path / "out")


def test_a_range_that_is_read_twice(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "ranges_of", lambda files, real=batch.ranges_of: Twice(real(files)))
    assert ".avro: was read more than once" in refused(raw, tmp_path / "out")


class Twice(list):
    """Ranges of which the runner gives out the last one twice, and the driver knows nothing of it."""

    def __init__(self, ranges: list[Range]) -> None:
        super().__init__(ranges)
        self.asked = 0

    def __iter__(self) -> Iterator[Range]:
        self.asked += 1
        return iter([*super().__iter__(), *([self[-1]] if self.asked > 1 else [])])


def test_everything_is_lost_by_a_runner_that_drops_what_ends_a_bundle(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(known._RIGHT, known.BATCH, (DROPPING.partition("=")[2],))  # it would be refused by name
    told = refused(raw, tmp_path / "out", DROPPING)
    assert "nothing of what was read came through; the runner lost it" in told
    assert "collector-00001.ndjson and 3 more" in told


@pytest.mark.parametrize("bucket", range(3))  # the fourth holds nobody
def test_one_bucket_is_lost(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: int) -> None:
    of_input = group_by_bucket._of_input

    def losing(grouped: Any, *more: Any) -> Any:
        portion, pieces = of_input(grouped, *more)
        return portion, [] if portion.bucket == bucket else pieces

    monkeypatch.setattr(group_by_bucket, "_of_input", losing)
    told = refused(raw, tmp_path / "out")
    assert ("came through" if bucket == 0 else "are accounted for") in told


def test_one_bundle_is_lost(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle for each range, of which the first one gives out nothing at its end."""
    from transforms.steps import seal_batches

    finish, seen = seal_batches._Seal.finish_bundle, []

    def losing(self: Any) -> Any:
        seen.append(None)
        return list(finish(self)) if len(seen) > 1 else []

    monkeypatch.setattr(seal_batches._Seal, "finish_bundle", losing)
    told = refused(raw, tmp_path / "out", "--direct_num_workers=2", "--direct_running_mode=multi_threading")
    assert len(seen) > 1
    assert "was not read" in told


def test_an_event_that_is_dropped_where_it_is_decoded(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are counted where they are split, whatever becomes of each."""
    add = DecodedPart.add_events
    monkeypatch.setattr(DecodedPart, "add_events", lambda self, events: add(self, islice(events, 1, None)))
    assert "events came in" in refused(raw, tmp_path / "out")


def test_an_output_on_the_disk_of_another_machine(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(input_run.Ingest):
        def __init__(self, settings: Any) -> None:
            super().__init__(type(settings)(**{**vars(settings), "output": Output(f"{tmp_path}/elsewhere")}))

    monkeypatch.setattr(input_run, "Ingest", Elsewhere)
    told = refused(raw, tmp_path / "out")
    assert "no ledger row of it is in" in told
    assert "workers wrote to the disk of another machine" in told


def test_an_input_that_is_not_empty_and_gives_no_payload(tmp_path: Path) -> None:
    (tmp_path / "raw.ndjson").write_bytes(b"\n \n\n")
    assert "4 bytes gave no payload" in refused(tmp_path / "raw.ndjson", tmp_path / "out")


def test_empty_files_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.ndjson").write_bytes(b"")
    write_lines(tmp_path / "raw" / "b.ndjson", [sample()])
    assert run_batch(tmp_path / "raw", tmp_path / "out").landed == 1
    verify.main([f"--datasets={tmp_path}/out"])


def test_a_damaged_file_is_no_loss_that_nobody_told(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    lines = b"".join(json.dumps(sample()).encode() + b"\n" for _ in range(50))
    write_lines(tmp_path / "raw" / "good.ndjson", [sample()])
    (tmp_path / "raw" / "a.gz").write_bytes(gzip.compress(lines)[:-30])
    (tmp_path / "raw" / "b.zst").write_bytes(zstandard.compress(lines)[:-30] + b"x" * 300_000)
    (tmp_path / "raw" / "c.avro").write_bytes(b"Obj\x01" + b"\xff" * 300_000)
    books = run_batch(tmp_path / "raw", tmp_path / "out")
    assert books.quarantined.total() >= 3
    verify.main([f"--datasets={tmp_path}/out"])


def test_the_same_file_by_other_paths_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw").mkdir()
    write_lines(tmp_path / "raw" / "a.ndjson", [sample()])
    os.symlink(tmp_path / "raw" / "a.ndjson", tmp_path / "raw" / "link.ndjson")
    os.symlink(tmp_path / "raw", tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    every = [str(tmp_path / "raw"), "raw/*.ndjson", "./raw/../raw/a.ndjson", "other/a.ndjson", "raw/a.ndjson"]
    books = run_batch(every, tmp_path / "out")
    assert (books.payloads, books.landed, books.duplicate) == (1, 1, 0)
    (listed,) = saved_lists(Output(str(tmp_path / "out")))
    assert len(listed.files) == 1


def without_ranges(output: Path) -> None:
    """Makes an output as older versions wrote it."""
    shutil.rmtree(output / "_inputs")
    shutil.rmtree(output / "runs" / "manifests")
    (output / "_signing.pub").unlink()
    later = ["range_bytes", "range_payloads", "unknown_values", "file_digests", "file_bytes", "proof", "removed_rows"]
    for path in output.glob("ledger/*/*.parquet"):
        table = pq.ParquetFile(path).read()
        pq.write_table(table.drop_columns(later), path)


def test_an_output_of_an_older_version_verifies(raw: Path, tmp_path: Path) -> None:
    run_batch(raw, tmp_path / "out")
    without_ranges(tmp_path / "out")
    verify.main([f"--datasets={tmp_path}/out"])
    run_batch(raw, tmp_path / "out")
    verify.main([f"--datasets={tmp_path}/out"])


def test_what_a_killed_run_left_unread_is_no_loss_once_another_input_read_it(raw: Path, tmp_path: Path) -> None:
    output, half = tmp_path / "out", sorted(raw.iterdir())[:2]
    files = storage.expand_inputs([str(path) for path in half])
    killed = list_input(storage.input_digest(files), batch.ranges_of(files), 4)
    killed.save(Output(str(output)))  # and then it was killed
    (output / "_output.json").unlink(missing_ok=True)
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={output}"])
    run_batch(raw, output)
    verify.main([f"--datasets={output}"])
    write_lines(tmp_path / "more.ndjson", [sample()])
    files = storage.expand_inputs([str(tmp_path / "more.ndjson")])
    list_input(storage.input_digest(files), batch.ranges_of(files), 4).save(Output(str(output)))
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={output}"])


def test_a_file_that_changed_while_it_was_read_leaves_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_lines(tmp_path / "raw.ndjson", [sample()])
    open_read = storage.open_read

    def growing(name: str) -> Any:
        if name == str(path) and len(path.read_bytes().splitlines()) == 1:
            path.write_bytes(path.read_bytes() * 2)
        return open_read(name)

    monkeypatch.setattr(storage, "open_read", growing)
    with pytest.raises(StorageUnavailable, match="changed while it was read"):
        run_batch(path, tmp_path / "out")
    assert not list((tmp_path / "out" / "_inputs").glob("*.json"))
    run_batch(path, tmp_path / "out")
    verify.main([f"--datasets={tmp_path}/out"])


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"files": [1]}', b'{"files": [{"path": 1}]}', b"[" * 100_000])
def test_what_is_no_list_is_none(data: bytes) -> None:
    assert not is_list(data)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("s3://key:secret@bucket/a@b.ndjson", "s3://***@b.ndjson"),
        ("https://u:p@host/raw/a.ndjson?sig=abc", "https://***@host/raw/a.ndjson?***"),
        ("gs://bucket/a?b", "gs://bucket/a?b"),
        ("/raw/\udcff.ndjson", "/raw/\\xff.ndjson"),
    ],
)
def test_the_list_holds_no_credentials(path: str, shown: str) -> None:
    assert list_input("0", [Range(path, 0, None, 1, "v")], 1).files[0].path == shown


@given(
    st.lists(st.sampled_from([b"{}", b"", b" ", b"x" * 50, b"[1]\r"]), max_size=60).map(b"\n".join),
    st.integers(1, 400),
)
def test_bytes_of_a_files_ranges_add_up_to_its_size(data: bytes, range_bytes: int) -> None:
    import io

    parts = [Range("f", at, at + range_bytes, len(data), "v") for at in range(0, max(len(data), 1), range_bytes)]
    whole = Range("f", 0, None, len(data), "v")
    for ranges in (parts, [whole]):
        read = [r for part in ranges for b in marked(read_range, lambda: io.BytesIO(data), part) for r in b.read]
        assert sum(r.read_bytes for r in read) == len(data)
        assert sum(r.payloads for r in read) == sum(bool(line.strip()) for line in data.split(b"\n"))
        assert {r.range for r in read} == {part.digest for part in ranges}


def test_ranges_are_named_by_all_that_makes_them() -> None:
    parts = [Range("f", 0, None, 1, "v"), Range("g", 0, None, 1, "v"), Range("f", 0, 1, 1, "v"), Range("f", 1, None, 1, "v"),
             Range("f", 0, None, 2, "v"), Range("f", 0, None, 1, "w")]  # fmt: skip
    assert len({part.digest for part in parts}) == len(parts)
