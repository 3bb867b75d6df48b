"""Compact puts files of closed days together and changes no row, whatever interrupts it and whatever is run again."""

import json
import re
import shutil
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import compact, expire, generate, metrics, report, verify
from pipelines.changing.change import carry_out
from pipelines.compaction import swapping
from pipelines.compaction.plan import MERGED, SEALED
from schemas.errors import InvalidOptions, OutputInUse, UnbalancedBooks, UnfinishedChange
from schemas.registry import load
from tests.compact_kills import killed
from tests.conftest import KEY_RING, all_rows, run_batch, write_lines
from tests.curating.test_windows import event, timed
from tests.support.servers import store_of
from tests.support.windowed import STREAM, Windows
from transforms.core import storage
from transforms.core.blocks import Block
from transforms.core.keys.open_ring import open_signing
from transforms.core.output import stream_state
from transforms.core.output.claim import claimed
from transforms.core.output.compacted import Compacted, is_compacted
from transforms.core.output.layout import LEDGER, Output, claim_of
from transforms.core.output.ledger import differences, imbalances, read_marks
from transforms.core.output.parquet import parquet_bytes
from transforms.core.output.unfinished import read_unfinished
from transforms.core.shuffle.windows import Window

INTERVAL_S = 7200
SIGNER = open_signing(KEY_RING)
FIRST, SECOND, LATEST = date(2026, 3, 28), date(2026, 3, 29), date(2026, 4, 2)


def closed_inputs(folder: Path) -> list[Path]:
    """Raw files: one input of two days, another one of the second of them, and one of a day that closes both."""
    raws = [folder / name for name in ("two_days", "second", "latest")]
    for raw, flags in zip(
        raws, (["--days=2", f"--date={FIRST}"], [f"--date={SECOND}"], [f"--date={LATEST}"]), strict=True
    ):
        generate.main([f"--output={raw}", "--events=600", f"--seed={len(raw.name)}", *flags])
    return [raw / "raw" for raw in raws]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compact")
    for raw in closed_inputs(folder):
        run_batch(raw, folder / "out")
    return folder


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Output:
    shutil.copytree(made / "out", tmp_path / "out")
    return Output(str(tmp_path / "out"))


def compacted(output: Output, **more: Any) -> str | None:
    change = compact.change_of(output, SIGNER, **more)
    return carry_out(change, change.plan().checksum)


def verified(output: Output, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])
    of_files = ("chain ", "output: ")  # how many files and manifests there are
    lines = capsys.readouterr().out.splitlines()
    return "\n".join(line for line in lines if " as they were signed" not in line and not line.startswith(of_files))


def files_of(output: Output) -> dict[str, bytes]:
    """All files of datasets, by path in the output."""
    root = Path(output.path)
    return {str(p.relative_to(root)): p.read_bytes() for p in root.glob("*/received_date=*/*")}


def test_the_same_rows_in_fewer_files(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    before, files, told = all_rows(Path(output.path)), files_of(output), verified(output, capsys)
    receipt = compacted(output)
    assert receipt is not None
    assert all_rows(Path(output.path)) == before
    after = files_of(output)
    listing = output.listing()
    for day in (FIRST, SECOND):
        for dataset in MERGED:
            assert len(listing.names(dataset, day)) <= 1, (dataset, day)
    untouched = [n for n in files if n.startswith((LEDGER, *SEALED)) or f"{LATEST}" in n]
    assert {n: files[n] for n in untouched} == {n: after[n] for n in untouched}
    assert verified(output, capsys) == told
    assert json.loads(Path(receipt).read_text())["files_before"] > len(MERGED)


def test_the_second_time_there_is_nothing(output: Output) -> None:
    compacted(output)
    files = files_of(output)
    assert compacted(output) is None
    assert files_of(output) == files


def test_an_input_that_is_run_again_changes_nothing(
    made: Path, output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    compacted(output)
    files, told = files_of(output), verified(output, capsys)
    for name in ("two_days", "second", "latest", "two_days"):
        run_batch(made / name / "raw", output.path)
        again = files_of(output)
        assert again.keys() == files.keys(), name
        # Snippets of the day that is open are encrypted anew, with fresh keys, and the ledger tells their digests.
        assert {n for n in files if again[n] != files[n] and f"{LATEST}" not in n} == set(), name
    assert verified(output, capsys) == told


def test_what_comes_after_a_compaction_lands_as_without_one(
    made: Path, output: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part of the same files, a late file with copies and with facts of known suggestions, all again, a new day."""
    twin = Output(str(shutil.copytree(output.path, tmp_path / "twin")))
    parts = sorted((made / "two_days" / "raw").glob("*.ndjson*"))
    late = tmp_path / "late.ndjson"
    noon = datetime.fromisoformat(f"{SECOND}T12:00:00+00:00")
    shown = [event(9_000_000 + n, noon + timedelta(seconds=n), n) for n in range(30)]
    write_lines(late, [*shown, *shown[:5]])
    new_day = tmp_path / "new_day"
    generate.main([f"--output={new_day}", "--events=200", "--seed=77", f"--date={LATEST + timedelta(days=1)}"])
    for source in ([str(parts[0])], [str(late)], [str(made / "two_days" / "raw"), str(late)], [str(new_day / "raw")]):
        compacted(output)
        for each in (output, twin):
            run_batch(source, each.path)
        assert without_digests(output) == without_digests(twin), source
    beside = [name for name in output.listing().names("displays", SECOND) if not is_compacted(name)]
    assert beside == []
    assert compacted(output) is None
    assert verified(output, capsys) == verified(twin, capsys)


def without_digests(output: Output) -> dict[str, list[dict[str, Any]]]:
    """All rows; of the ledger's without the digests of files with encrypted columns, whose keys are fresh."""
    fresh = {"file_digests", "file_bytes"}
    return {name: [{k: v for k, v in row.items() if k not in fresh} for row in rows]
            for name, rows in all_rows(Path(output.path)).items()}  # fmt: skip


def test_windows_are_compacted_and_the_stream_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where it goes back to an older checkpoint: windows that were whole stay as they are."""
    noon = datetime.fromisoformat("2026-03-29T12:00:00+00:00")
    lines = [event(n, noon + timedelta(minutes=18 * n), n % 9) for n in range(60)]
    later = [event(1000 + n, noon + timedelta(days=3, minutes=n), n % 9) for n in range(40)]
    packed, plain = Output(str(tmp_path / "packed")), Output(str(tmp_path / "plain"))
    for each in (packed, plain):
        Path(each.path).mkdir()
        Resumed(each).run(timed([*lines, later[0]]), INTERVAL_S)
    files = len(list(packed.listing().files(*MERGED)))
    assert compacted(packed, reach=timedelta(hours=2)) is not None
    assert len(list(packed.listing().files(*MERGED))) < files / 3
    assert no_ledger(packed) == no_ledger(plain)
    for each in (packed, plain):
        Resumed(each).run(timed([*lines, *later, *lines[-20:]]), INTERVAL_S)
    assert no_ledger(packed) == no_ledger(plain)
    compacted(packed, reach=timedelta(hours=2))
    assert no_ledger(packed) == no_ledger(plain)
    assert [*verify_books(packed)] == []


class Resumed(Windows):
    """Windows as the job publishes them: those that were whole when it began stay as they are."""

    def __init__(self, output: Output) -> None:
        super().__init__(Path(output.path))
        self._of = output
        state = stream_state.load(output, STREAM)
        self._whole_to_s = state.whole_to_s if state else 0

    def publish(self, window: Window, block: Block, buckets: Any = None) -> None:
        if window.end_s > self._whole_to_s:
            super().publish(window, block, buckets)
            stream_state.StreamState(self._of, STREAM, window.end_s).save()


def verify_books(output: Output) -> list[str]:
    """What the ledger's comparison finds, whatever the manifests say."""
    marks = read_marks(output)
    return [*imbalances(marks), *differences(output, marks)]


def no_ledger(output: Output) -> dict[str, list[dict[str, Any]]]:
    return {name: rows for name, rows in all_rows(Path(output.path)).items() if name != LEDGER}


def test_larger_days_become_several_files_with_rows_in_order(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    before = all_rows(Path(output.path))
    assert compacted(output, target_bytes=25_000) is not None
    names = output.listing().names("displays", SECOND)
    assert len(names) > 1
    rows = [pq.read_table(output.file("displays", SECOND, name), partitioning=None) for name in names]
    assert max(len(part) for part in rows) - min(len(part) for part in rows) < len(names)
    ids = pa.concat_tables(rows)["installation_id"].to_pylist()
    assert ids == sorted(ids, key=lambda found: (found is None, found))
    assert all_rows(Path(output.path)) == before
    assert compacted(output, target_bytes=25_000) is None
    compacted(output)  # takes other datasets in; what is compacted is not put together for being small
    assert output.listing().names("displays", SECOND) == names
    verified(output, capsys)


def test_rows_of_an_older_version_stay_as_they_are(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    mark = Path(next(output.listing().files(LEDGER, days=[SECOND])).path)
    row = pq.read_table(mark, partitioning=None).to_pylist()[0] | {"contract": "0123456789abcdef"}
    mark.write_bytes(parquet_bytes(LEDGER, pa.Table.from_pylist([row], schema=load(LEDGER).arrow), None))
    compact.main([f"--datasets={output}", "--dry_run"])
    assert f"{SECOND} is left out: rows of an older version are there" in capsys.readouterr().out


def test_days_that_are_not_whole_are_left_out_with_the_reason(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = next(Path(output.path).glob(f"displays/received_date={SECOND}/*.parquet"))
    for damage, told in (
        (victim.unlink, "ledger says rows"),
        (lambda: victim.with_name("notes.txt").write_text("x"), "notes.txt is no file of this system"),
    ):
        kept = {path: path.read_bytes() for path in victim.parent.iterdir()}
        damage()
        compact.main([f"--datasets={output}", "--dry_run"])
        out = capsys.readouterr().out
        assert f"warning: {SECOND} is left out: " in out
        assert told in out
        assert "to compact 2 closed days" in out
        victim.with_name("notes.txt").unlink(missing_ok=True)
        for path, data in kept.items():
            path.write_bytes(data)
    of_two_days = {*output.listing().names(LEDGER, FIRST)} & {*output.listing().names(LEDGER, SECOND)}
    cut_off = output.file(LEDGER, FIRST, min(of_two_days, key=str))
    Path(cut_off).unlink()  # as a run that was killed; its other day is whole by itself
    compact.main([f"--datasets={output}", "--dry_run"])
    out = capsys.readouterr().out
    assert f"warning: {FIRST} is left out: " in out
    assert re.search("run (that input|pipelines.batch with it) again", out)


def test_a_day_that_is_not_closed_is_refused_and_by_default_left_alone(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = output.listing().days(LEDGER)[-1] - timedelta(days=3)
    with pytest.raises(InvalidOptions, match=f"the last closed day of .* is {closed}"):
        compact.main([f"--datasets={output}", "--dry_run", f"--through={closed + timedelta(days=1)}"])
    compact.main([f"--datasets={output}", "--dry_run", f"--through={FIRST}"])
    assert f"to compact 2 closed days up to {FIRST}" in capsys.readouterr().out


def test_another_number_of_buckets_is_refused_for_an_input_of_compacted_days(made: Path, output: Output) -> None:
    compacted(output)
    with pytest.raises(InvalidOptions, match="--buckets 2: days of this input are compacted, and it was read with 4"):
        run_batch(made / "two_days" / "raw", output.path, "--buckets=2")


def test_a_running_job_is_named_in_the_line_that_refuses(output: Output) -> None:
    files = files_of(output)
    for name in ("_claim.json", claim_of("acceptance")):
        with claimed(output, name), pytest.raises(OutputInUse, match="being written by process"):
            compacted(output)
    assert files_of(output) == files


def test_nothing_is_changed_without_the_checksum_of_what_is_there(output: Output) -> None:
    files = files_of(output)
    with pytest.raises(InvalidOptions, match="with another checksum"):
        carry_out(compact.change_of(output, SIGNER), "0" * 32)
    assert files_of(output) == files


def test_compacted_files_expire_with_their_record(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    plain = Output(str(shutil.copytree(output.path, f"{output.path}-plain")))
    compacted(output)
    printed = []
    for each in (plain, output):
        for as_of in (date(2026, 10, 15), date(2027, 6, 1)):
            capsys.readouterr()
            expire.main([f"--datasets={each}", "--dry_run", f"--as_of={min(as_of, date.today())}"])
            lines = capsys.readouterr().out.splitlines()
            printed.append([line.split(" files")[1].split(",")[1] for line in lines if "kept" in line])
            carry = expire.change_of(each, as_of, SIGNER)
            carry_out(carry, carry.plan().checksum)
        verified(each, capsys)
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]  # rows
    assert Compacted(output).days == []
    assert {*output.listing().files(*MERGED)} == {*plain.listing().files(*MERGED)}


def test_figures_are_the_same(output: Output, tmp_path: Path) -> None:
    packed = Output(str(shutil.copytree(output.path, tmp_path / "packed")))
    compacted(packed)
    flags = ["--min_installations=1"]
    for each in (output, packed):
        metrics.main([f"--datasets={each}", "--privacy_epsilon=none", f"--key_ring={KEY_RING}", *flags])
        report.main([f"--datasets={each}", f"--to={each}.html", *flags])
        assert Path(f"{each}.html").stat().st_size > 0
    found = [{n: data for n, data in files_of(each).items() if n.startswith("acceptance")} for each in (output, packed)]
    assert found[0]
    assert found[0] == found[1]


def test_a_loss_in_a_compacted_day_is_found(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    compacted(output)
    (name,) = output.listing().names("displays", SECOND)
    Path(output.file("displays", SECOND, name)).unlink()
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={output}"])
    assert f"displays/received_date={SECOND}: was compacted into rows" in capsys.readouterr().out


def test_a_file_that_comes_back_is_found(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    files = files_of(output)
    compacted(output)
    back = next(name for name in files if name.startswith(f"displays/received_date={SECOND}"))
    Path(output.beside(back)).write_bytes(files[back])
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={output}"])
    assert Path(back).name in capsys.readouterr().out


def test_a_run_that_was_cut_off_is_told_and_finished(
    made: Path, output: Output, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, checksum = all_rows(Path(output.path)), compact.change_of(output).plan().checksum
    real, turns = swapping.put_in_place_of, iter(range(3))

    def cut_off(*args: Any) -> None:
        if next(turns, None) is None:
            raise KeyboardInterrupt
        real(*args)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(swapping, "put_in_place_of", cut_off)
        carry_out(compact.change_of(output, SIGNER), checksum)
    assert all_rows(Path(output.path)) == before
    assert [*verify_books(output)] == []
    with pytest.raises(
        UnfinishedChange, match=f"pipelines.compact again with the same flags and --checksum {checksum}"
    ):
        run_batch(made / "second" / "raw", output.path)
    compact.main([f"--datasets={output}", f"--checksum={checksum}", f"--key_ring={KEY_RING}"])
    assert read_unfinished(output) is None
    assert not list(Path(output.beside("_writing")).rglob("*.parquet"))
    assert all_rows(Path(output.path)) == before
    verified(output, capsys)


def test_after_sigkill_at_any_moment_the_same_command_ends_in_the_same(
    output: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make compact_kills` does it 20 times."""
    whole = Output(str(shutil.copytree(output.path, tmp_path / "whole")))
    compacted(whole)
    stood = []
    for share in (0.3, 0.8):
        cut = Output(str(shutil.copytree(output.path, tmp_path / f"killed at {share}")))
        stood.append(killed(cut, share, 0.01, None, f"--key_ring={KEY_RING}"))
        assert files_of(cut) == files_of(whole)
        verified(cut, capsys)
    assert "killed while changing" in stood


@contextmanager
def looking(look: Callable[[], None]) -> Any:
    """A reader that looks all the time while the block runs; what it raised is raised."""
    is_over, failed = threading.Event(), []

    def go_on() -> None:
        while not is_over.is_set() and not failed:
            try:
                look()
            except BaseException as error:  # noqa: BLE001
                failed.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    if failed:
        raise failed[0]


def test_a_reader_on_a_disk_sees_the_old_files_or_the_new_ones(output: Output) -> None:
    folder = Path(output.partition("displays", SECOND))
    old, seen = frozenset(path.name for path in folder.glob("*.parquet")), set()
    with looking(lambda: seen.add(frozenset(path.name for path in folder.glob("*.parquet")))):
        compacted(output)
    new = frozenset(path.name for path in folder.glob("*.parquet"))
    assert seen == {old, new}
    assert not old & new


@pytest.mark.parametrize("store", ["gs", "s3"])
def test_a_reader_of_an_object_store_misses_nothing(
    made: Path, tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with store_of(store, tmp_path) as bucket:
        output, root = Output(f"{bucket}/compact"), made / "out"
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            storage.write_atomic(output.beside(*path.relative_to(root).parts), path.read_bytes())
        seen: list[frozenset[str]] = []
        with looking(lambda: seen.append(names_of(output))):
            assert compacted(output, target_bytes=40_000) is not None
        old, new = seen[0], names_of(output)
        assert not old & new
        assert all(old <= names or new <= names for names in seen)
        told = sum(old < names or new < names for names in seen)
        print(f"{told} of {len(seen)} looks saw rows twice")
        local = Output(str(shutil.copytree(root, tmp_path / "local")))
        compacted(local, target_bytes=40_000)
        for file in local.listing().files(*MERGED):
            assert storage.read_bytes(output.file(*file[:3])) == Path(file.path).read_bytes()
        assert compacted(output, target_bytes=40_000) is None
        assert not storage.list_folders(output.beside("_writing"))
        verified(output, capsys)


def names_of(output: Output) -> frozenset[str]:
    return frozenset(storage.list_files(output.partition("displays", SECOND)))
