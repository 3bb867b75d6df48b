"""Expire deletes what the contract says and nothing else, whatever interrupts it, and nothing comes back."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import expire, metrics, verify
from pipelines.changing.change import carry_out
from pipelines.retention import deleting
from pipelines.retention.plan import Expiry, plan_of
from schemas.errors import InvalidOptions, OutputInUse, UnbalancedBooks, UnfinishedChange
from schemas.registry import load
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from tests.expire_kills import killed
from tests.support.generated import generated_raw
from tests.support.servers import store_of
from transforms.core import storage
from transforms.core.keys.open_ring import open_signing
from transforms.core.output.claim import claimed
from transforms.core.output.expired import read_expired
from transforms.core.output.layout import LEDGER, Output, claim_of
from transforms.core.output.unfinished import begun, read_unfinished

DAY = date(2026, 3, 29)
SIGNER = open_signing(KEY_RING)
AFTER = {30: date(2026, 4, 30), 90: date(2026, 7, 1), 180: date(2026, 10, 1), 400: date(2027, 6, 1)}
"""Days at whose begin all of the sample's days are so old."""


def without_data() -> dict[str, Any]:
    """What is quarantined on the sample's day."""
    document = sample()
    del document["data"]
    return document


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files and an output of them: generated rows of two days, and two bodies without a day."""
    folder = tmp_path_factory.mktemp("expire")
    raw = folder / "raw"
    shutil.copytree(generated_raw(tmp_path_factory, 700, 5), raw)
    write_lines(raw / "broken.ndjson", [b"{", b"{,", sample(), without_data()])
    run_batch(raw, folder / "out", "--close_open_suggestions")
    metrics.main([f"--datasets={folder}/out", "--min_installations=1", "--privacy_epsilon=none"])
    return folder


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Output:
    shutil.copytree(made / "out", tmp_path / "out")
    return Output(str(tmp_path / "out"))


def files_of(output: Output) -> dict[str, bytes]:
    """All files but those that tell of expiries, by path."""
    root = Path(output.path)
    found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if not name.startswith(("_expired", "runs/manifests"))}


def checksum_of(output: Output, as_of: date) -> str:
    return plan_of(output, read_expired(output), as_of).checksum


def expired(output: Output, as_of: date) -> str | None:
    return carry_out(expire.change_of(output, as_of, SIGNER), checksum_of(output, as_of))


def datasets(output: Output, day: date | None = None) -> set[str]:
    files = Path(output.path).glob(f"*/received_date={day or '*'}/*.parquet")
    return {path.parts[-3] for path in files}


def verified(output: Output, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])
    return capsys.readouterr().out


@pytest.mark.parametrize("kept_days", AFTER)
def test_each_dataset_goes_by_its_own_days_and_the_rest_is_as_it_was(
    output: Output, kept_days: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(output)
    everything = datasets(output)
    assert everything >= {"quarantine", "snippets", "errors", "suggestions", "acceptance", "displays", LEDGER}
    assert expired(output, AFTER[kept_days]) is not None
    after = files_of(output)
    for name, data in before.items():
        if "1970-01-01" in name:  # how old that is says the time at which the test runs
            continue
        dataset = name.partition("/")[0]
        is_dataset = dataset in everything and dataset != LEDGER
        is_gone = is_dataset and load(dataset).delete_after_days <= kept_days
        assert after.get(name) == (None if is_gone else data), name
    assert "past their retention and not in the files" in verified(output, capsys)


def test_the_last_day_that_stays_is_that_of_which_a_row_may_be_younger(output: Output) -> None:
    first = min(output.listing().days("quarantine", first=date(2000, 1, 1)))
    assert expired(output, first + timedelta(days=30)) is None
    assert first in output.listing().days("quarantine")
    assert expired(output, first + timedelta(days=31)) is not None
    assert first not in output.listing().days("quarantine")


def test_the_second_time_there_is_nothing(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    receipt = expired(output, AFTER[180])
    assert receipt is not None
    told = json.loads(Path(receipt).read_text())
    assert told["datasets"]["quarantine"]["rows"] > 0
    left = files_of(output)
    assert expired(output, AFTER[180]) is None
    assert files_of(output) == left
    assert read_unfinished(output) is None
    verified(output, capsys)


def test_nothing_is_deleted_without_the_checksum_of_what_is_there(output: Output) -> None:
    before = files_of(output)
    told = checksum_of(output, AFTER[180])
    assert files_of(output) == before
    with pytest.raises(InvalidOptions, match="with another checksum"):
        carry_out(expire.change_of(output, AFTER[180], SIGNER), "0" * 32)
    with pytest.raises(InvalidOptions, match="with another checksum"):
        carry_out(expire.change_of(output, AFTER[400], SIGNER), told)
    victim = next(Path(output.path).glob("quarantine/received_date=2026*/*.parquet"))
    shutil.copy(victim, victim.with_name("ffffffffffffffff-0000of0004.parquet"))
    with pytest.raises(InvalidOptions, match="with another checksum"):
        carry_out(expire.change_of(output, AFTER[180], SIGNER), told)
    victim.with_name("ffffffffffffffff-0000of0004.parquet").unlink()
    assert files_of(output) == before


def test_a_running_job_is_named_in_the_line_that_refuses(output: Output) -> None:
    told = checksum_of(output, AFTER[180])
    for name in ("_claim.json", claim_of("acceptance")):
        with claimed(output, name), pytest.raises(OutputInUse, match="being written by process"):
            carry_out(expire.change_of(output, AFTER[180], SIGNER), told)
    assert not (Path(output.path) / "_expired").exists()
    assert expired(output, AFTER[180]) is not None


def test_rows_whose_day_is_unknown_grow_old_by_when_they_were_written(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = Path(output.path, "quarantine", "received_date=1970-01-01")
    assert list(unknown.glob("*.parquet"))
    written = datetime.now(UTC).date()
    expired(output, written + timedelta(days=30))
    assert list(unknown.glob("*.parquet"))
    expired(output, written + timedelta(days=32))
    assert not unknown.exists()
    verified(output, capsys)


def test_a_day_to_come_grows_old_by_when_it_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = sample()
    document["collector"]["received_at"] = "2070-01-01T10:00:00Z"
    run_batch(write_lines(tmp_path / "raw.ndjson", [document, sample()]), tmp_path / "out")
    output = Output(str(tmp_path / "out"))
    assert date(2070, 1, 1) in output.listing().days("quarantine")
    written = datetime.now(UTC).date()
    expired(output, written + timedelta(days=30))
    assert date(2070, 1, 1) in output.listing().days("quarantine")
    expired(output, written + timedelta(days=32))
    assert date(2070, 1, 1) not in output.listing().days("quarantine")
    run_batch(tmp_path / "raw.ndjson", tmp_path / "out")  # the same input again
    assert date(2070, 1, 1) not in output.listing().days("quarantine")
    verified(output, capsys)


def test_an_old_input_brings_nothing_back(made: Path, output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    expired(output, AFTER[180])
    left = {name: data for name, data in files_of(output).items() if not name.startswith(("runs", "_inputs"))}
    run_batch(made / "raw", output.path, "--close_open_suggestions")
    assert "rows are past their retention: they are counted and were not written" in capsys.readouterr().err
    again = files_of(output)
    assert {name for name in again if not name.startswith(("runs", "_inputs"))} == {*left}
    assert "past their retention and not in the files" in verified(output, capsys)
    assert expired(output, AFTER[180]) is None
    shutil.copy(made / "raw" / "broken.ndjson", Path(output.path).parent / "other.ndjson")
    write_lines(
        Path(output.path).parent / "other.ndjson", [{**without_data(), "x": 1}, *[sample()] * 3]
    )  # another input of then
    run_batch(Path(output.path).parent / "other.ndjson", output.path)
    assert not output.listing().days("quarantine", first=date(2000, 1, 1))
    verified(output, capsys)


def test_a_file_that_came_back_is_found_and_goes_again(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    victim = next(Path(output.path).glob("snippets/*/*.parquet"))
    content = victim.read_bytes()
    expired(output, AFTER[90])
    victim.parent.mkdir()
    victim.write_bytes(content)  # as from a backup
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={output}"])
    assert "is past its retention and was deleted before" in capsys.readouterr().out
    assert expired(output, AFTER[90]) is not None
    assert not victim.exists()
    verified(output, capsys)


def test_a_loss_is_found_beside_what_expired(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    expired(output, AFTER[90])
    next(Path(output.path).glob("displays/*/*.parquet")).unlink()
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={output}"])
    assert "ledger says rows" in capsys.readouterr().out


def test_what_is_not_ours_stays_and_is_told(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    day = next(Path(output.path).glob("quarantine/received_date=2026*"))
    for stranger in (day / "notes.txt", day / "folder" / "mine.txt"):
        stranger.parent.mkdir(exist_ok=True)
        stranger.write_text("x")
    as_of = AFTER[30]
    expire.main([f"--datasets={output}", "--dry_run", f"--as_of={as_of}"])
    assert "notes.txt is not a file of this system and stays" in capsys.readouterr().out
    expired(output, as_of)
    assert {p.name for p in day.rglob("*")} == {"notes.txt", "folder", "mine.txt"}


def test_a_run_that_was_cut_off_is_finished_with_the_same_checksum(
    output: Output, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = checksum_of(output, AFTER[180])
    with monkeypatch.context() as patched:
        patched.setattr(deleting, "check_held", _failing_at(1))
        with pytest.raises(KeyboardInterrupt):
            carry_out(expire.change_of(output, AFTER[180], SIGNER), told)
    found = read_unfinished(output)
    assert found is not None
    cut = found.payload_as(Expiry)
    assert {Path(output.beside(path)).exists() for path in cut.paths} == {True, False}
    with pytest.raises(UnbalancedBooks):  # what is gone is told by no manifest yet
        verify.main([f"--datasets={output}", "--max_unjoined=100%"])
    assert "by pipelines.expire was cut off" in capsys.readouterr().out
    with pytest.raises(UnfinishedChange, match=f"finish it first: run pipelines.expire .* --checksum {told}"):
        carry_out(expire.change_of(output, AFTER[400], SIGNER), "0" * 32)
    expire.main([f"--datasets={output}", "--dry_run"])
    assert capsys.readouterr().out.splitlines()[-1] == f"checksum {told}"
    expire.main([f"--datasets={output}", f"--checksum={told}", f"--key_ring={KEY_RING}"])
    assert datasets(output) & {"quarantine", "snippets", "errors"} <= {"quarantine"}
    assert not list(Path(output.path, "_writing").rglob("*"))
    verified(output, capsys)


def _failing_at(turn: int) -> Any:
    turns = iter(range(turn))

    def check(_: Output) -> None:
        if next(turns, None) is None:
            raise KeyboardInterrupt

    return check


def test_figures_of_days_that_lost_rows_are_not_made_anew(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    figures = {name: data for name, data in files_of(output).items() if name.startswith("acceptance")}
    expired(output, AFTER[180])  # errors are gone, acceptance is not
    metrics.main([f"--datasets={output}", "--min_installations=1", "--privacy_epsilon=none"])
    assert {name: data for name, data in files_of(output).items() if name.startswith("acceptance")} == figures
    with pytest.raises(InvalidOptions, match="are past their retention"):
        metrics.main([f"--datasets={output}", f"--date={DAY}", "--privacy_epsilon=none"])


def test_the_books_of_an_input_go_last_and_together(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    expired(output, DAY + timedelta(days=3651))
    assert datasets(output) == {LEDGER}  # its last day is one later
    verified(output, capsys)
    expired(output, datetime.now(UTC).date() + timedelta(days=3660))  # of some rows the day is unknown
    assert datasets(output) == set()
    assert not [name for name in files_of(output) if name.startswith("_inputs/")]


def test_the_commands_as_a_person_types_them(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [f"--datasets={output}", f"--as_of={AFTER[30]}"]
    expire.main([*flags, "--dry_run"])
    *_, way, last = capsys.readouterr().out.splitlines()
    assert way.startswith("nothing was changed")
    expire.main([*flags, f"--checksum={last.removeprefix('checksum ')}", f"--key_ring={KEY_RING}"])
    assert "receipt: " in capsys.readouterr().out
    expire.main([*flags, "--dry_run"])
    assert "nothing is past its retention on 2026-04-30" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--dry_run", "--checksum=0"], "not allowed with"),
        ([], "one of the arguments"),
        (["--dry_run", f"--as_of={datetime.now(UTC).date() + timedelta(days=2)}"], "or an earlier day"),
        (["--dry_run", "--as_of=20260329"], "allowed is YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_meant_is_refused(output: Output, flags: list[str], told: str) -> None:
    with pytest.raises(InvalidOptions, match=told):
        expire.main([f"--datasets={output}", *flags])


def test_a_folder_that_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="no output of the jobs there"):
        expire.main([f"--datasets={tmp_path}", "--dry_run"])


@pytest.mark.parametrize("store", ["gs", "s3"])
def test_an_object_store(
    made: Path, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with store_of(store, tmp_path) as bucket:
        output = Output(f"{bucket}/expire")
        root = made / "out"
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            storage.write_atomic(output.beside(*path.relative_to(root).parts), path.read_bytes())
        kept = set(output.listing().files("displays"))
        seen: list[int] = []

        def watched(path: str, remove: Any = storage.remove) -> None:
            """A reader that lists before each file goes."""
            assert set(output.listing().files("displays")) == kept
            seen.append(len(list(output.listing().files("errors"))))
            remove(path)

        with monkeypatch.context() as patched:
            patched.setattr(storage, "remove", watched)
            assert expired(output, AFTER[180]) is not None
        assert seen == sorted(seen, reverse=True)
        assert seen[0] > seen[-1] == 0
        assert not output.listing().days("errors")
        assert output.listing().days("quarantine") == [date(1970, 1, 1)]
        assert set(output.listing().files("displays")) == kept
        written = datetime.now(UTC).date()
        expired(output, written + timedelta(days=32))
        assert not output.listing().days("quarantine")
        assert expired(output, written + timedelta(days=32)) is None
        verified(output, capsys)


def test_after_sigkill_at_any_moment_the_same_command_ends_in_the_same(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make expire_kills` does it 20 times."""
    whole = Output(str(tmp_path / "whole"))
    shutil.copytree(made / "out", whole.path)
    expired(whole, AFTER[180])
    for share in (0.05, 0.4):
        output = Output(str(tmp_path / f"killed at {share}"))
        shutil.copytree(made / "out", output.path)
        assert killed(output, AFTER[180], share) == "killed while deleting"
        assert files_of(output) == files_of(whole)
        assert read_expired(output) == read_expired(whole)
        verified(output, capsys)


def test_no_job_writes_between_files_that_are_half_changed(made: Path, output: Output) -> None:
    begun("expire", "c0ffee", [], []).save(output)
    before = files_of(output)
    with pytest.raises(UnfinishedChange, match=r"run pipelines\.expire again .* --checksum c0ffee"):
        run_batch(made / "raw", output.path)
    with pytest.raises(UnfinishedChange):
        metrics.main([f"--datasets={output}"])
    assert files_of(output) == before
