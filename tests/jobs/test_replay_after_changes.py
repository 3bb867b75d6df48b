"""Quarantine after other jobs have changed it: days that were compacted, expired or erased in part, keys that are gone."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines import batch, compact, erase, expire, keys, replay, verify, withdraw
from pipelines.replaying import ending
from pipelines.running import input_run
from schemas.errors import InvalidOptions
from tests.conftest import all_rows, read_rows, write_lines
from tests.support.changes import done, dry
from tests.support.persons import life, people_file
from transforms.core.output.layout import Output
from transforms.core.output.replayed import read_replayed

FIRST, SECOND, MARCH = "2026-02-26", "2026-02-27", "2026-03-29"
PEOPLE = {"a": [(1, FIRST), (2, FIRST)], "b": [(3, FIRST), (1, SECOND), (2, SECOND)], "c": [(4, MARCH), (5, MARCH)]}
"""Raw files, and of which people and days they hold a suggestion each, without its code in quarantine."""


def payloads(name: str) -> list[Any]:
    return [event for person, day in PEOPLE[name] for event in life(person, int(day[-2:]), f"{day}T10:00:00Z")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of February in quarantine, in two files each day at least; then the keys of February came."""
    folder = tmp_path_factory.mktemp("replay")
    keys.create(str(folder / "keys"), "2026-03", 1)
    for name in PEOPLE:
        write_lines(folder / f"{name}.ndjson", payloads(name))
        land(folder, folder / "out", name)
    keys.rotate(str(folder / "keys"), str(folder / "keys" / "private"), "2026-02")
    for name in PEOPLE:
        land(folder, folder / "expected", name)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "replay"))


def land(folder: Path, output: Path, name: str) -> None:
    flags = [f"--input={folder}/{name}.ndjson", f"--output={output}", f"--key_ring={folder}/keys", "--buckets=2"]
    batch.run([*flags, "--max_quarantined_share=100%"])


def flags_of(folder: Path) -> list[str]:
    private = f"--private_key={folder}/keys/private/operators.json"
    return [f"--output={folder}/out", f"--key_ring={folder}/keys", private, "--purpose=test"]


def replayed(folder: Path, *more: str) -> str:
    """What the dry run told of it."""
    told, checksum = dry(replay.main, *flags_of(folder), *more)
    replay.main([*flags_of(folder), *more, f"--checksum={checksum}"])
    return told


def changed(folder: Path) -> list[str]:
    return [f"--datasets={folder}/out", f"--key_ring={folder}/keys"]


def of_people(folder: Path, people: list[int], **level: Any) -> list[str]:
    return [*changed(folder), f"--people={people_file(folder, people, **level)}"]


def operators(folder: Path) -> str:
    return f"--private_key={folder}/keys/private/operators.json"


def landed(output: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: rows for name, rows in all_rows(output).items() if name not in ("ledger", "quarantine") and rows}


def days_of(folder: Path, dataset: str) -> Counter[str]:
    return Counter(row["received_date"] for row in read_rows(folder / "out", dataset))


def verified(folder: Path) -> None:
    verify.main([f"--datasets={folder}/out", "--max_unjoined=100%"])


def files_of_day(folder: Path, dataset: str, day: str) -> list[str]:
    return sorted(p.name for p in (folder / "out" / dataset / f"received_date={day}").glob("*"))


def compacted(folder: Path) -> str:
    return done(compact.main, *changed(folder))


def test_days_of_quarantine_that_were_compacted(folder: Path) -> None:
    """The checksum of before holds: a payload is the same one in whichever file it lies."""
    told, checksum = dry(replay.main, *flags_of(folder))
    assert len(files_of_day(folder, "quarantine", FIRST)) >= 2
    compacted(folder)
    (name,) = files_of_day(folder, "quarantine", FIRST)
    assert name.startswith("compacted-")
    assert dry(replay.main, *flags_of(folder)) == (told, checksum)
    replay.main([*flags_of(folder), f"--checksum={checksum}"])
    assert landed(folder / "out") == landed(folder / "expected")
    verified(folder)


def test_one_day_before_and_the_other_after_the_compaction_and_both_once_more(folder: Path) -> None:
    replayed(folder, f"--date={FIRST}")
    compacted(folder)
    assert "were replayed before and are left alone" in replayed(folder)
    assert landed(folder / "out") == landed(folder / "expected")
    assert "0 payloads of quarantine are chosen" in replayed(folder)
    compacted(folder)
    verified(folder)
    assert sum(len(ids) for found in read_replayed(Output(f"{folder}/out")) for ids in found.payload_ids.values()) == 25


def test_where_it_was_not_written_down_what_was_replayed_compacted_rows_are_known_as_copies(folder: Path) -> None:
    land(folder, folder / "out", "a")
    replayed(folder)
    compacted(folder)
    assert files_of_day(folder, "displays", FIRST)[0].startswith("compacted-")
    shutil.rmtree(folder / "out" / "_replayed")
    assert "25 payloads of quarantine are chosen" in replayed(folder)
    assert landed(folder / "out") == landed(folder / "expected")


def test_a_day_that_expired_between(folder: Path) -> None:
    """Bodies of the first day are gone; the second one lands, and verify is content before and after."""
    _, checksum = dry(replay.main, *flags_of(folder))
    done(expire.main, *changed(folder), "--as_of=2026-03-29")
    assert {*days_of(folder, "quarantine")} == {SECOND}
    with pytest.raises(InvalidOptions, match="something with another checksum"):
        replay.main([*flags_of(folder), f"--checksum={checksum}"])
    assert "10 payloads of quarantine are chosen, of 1 days" in replayed(folder)
    assert {*days_of(folder, "displays")} == {SECOND, MARCH}
    verified(folder)


@pytest.mark.parametrize("is_compacted", [False, True])
def test_quarantine_that_expires_after_its_replay(
    folder: Path, is_compacted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    replayed(folder)
    if is_compacted:
        compacted(folder)
    done(expire.main, *changed(folder), "--as_of=2026-04-02")
    assert days_of(folder, "quarantine") == {}
    assert landed(folder / "out") == landed(folder / "expected")
    assert "0 payloads of quarantine are chosen" in replayed(folder)
    capsys.readouterr()
    verified(folder)
    assert "25 payloads of quarantine were replayed (outside_key_ring 25)" in capsys.readouterr().out


@pytest.mark.parametrize("is_compacted", [False, True])
def test_payloads_of_somebody_who_was_erased_since_are_gone(folder: Path, is_compacted: bool) -> None:
    if is_compacted:
        compacted(folder)
    _, checksum = dry(replay.main, *flags_of(folder))
    done(erase.main, *of_people(folder, [1]), operators(folder))
    with pytest.raises(InvalidOptions, match="something with another checksum"):
        replay.main([*flags_of(folder), f"--checksum={checksum}"])
    assert "15 payloads of quarantine are chosen" in replayed(folder)
    assert days_of(folder, "displays") == Counter({FIRST: 2, SECOND: 1, MARCH: 2})
    verified(folder)


def test_payloads_of_somebody_who_was_erased_and_whose_quarantine_was_left_land_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done(erase.main, *of_people(folder, [1]), "--leave_quarantine")
    assert "25 payloads of quarantine are chosen" in replayed(folder)
    assert days_of(folder, "displays") == Counter({FIRST: 2, SECOND: 1, MARCH: 2})
    assert "0 payloads of quarantine are chosen" in replayed(folder), "they are settled"
    capsys.readouterr()
    verified(folder)
    assert "erased" in capsys.readouterr().out


@pytest.mark.parametrize("is_compacted", [False, True])
def test_somebody_who_is_erased_after_the_replay_is_gone_from_both(folder: Path, is_compacted: bool) -> None:
    """His payloads go out of the record of the replay, too."""
    replayed(folder)
    if is_compacted:
        compacted(folder)
    private = [f"--private_key={folder}/keys/private/{role}.json" for role in ("prompts", "completions")]
    done(erase.main, *of_people(folder, [1]), operators(folder), *private)
    assert days_of(folder, "displays") == Counter({FIRST: 2, SECOND: 1, MARCH: 2})
    assert sum(days_of(folder, "quarantine").values()) == 15
    (record,) = read_replayed(Output(f"{folder}/out"))
    assert sum(len(ids) for ids in record.payload_ids.values()) == 15
    assert "0 payloads of quarantine are chosen" in replayed(folder)
    verified(folder)


@pytest.mark.parametrize("leaves", [False, True])
def test_somebody_who_withdrew_since(folder: Path, leaves: bool) -> None:
    """Code and events above the level stay out, also where the bodies could not be looked into."""
    level = {"telemetry_level": "error", "snippet_consent": False}
    flags = [*of_people(folder, [1], **level), "--leave_quarantine" if leaves else operators(folder)]
    done(withdraw.main, *flags)
    told = replayed(folder)
    assert f"{25 if leaves else 15} payloads of quarantine are chosen" in told
    assert days_of(folder, "displays") == Counter({FIRST: 2, SECOND: 1, MARCH: 2})
    assert days_of(folder, "snippets") == Counter({FIRST: 2, SECOND: 1, MARCH: 2})
    verified(folder)


def destroyed(folder: Path) -> None:
    keys.destroy(str(folder / "keys"), str(folder / "keys" / "private"), "2026-02")


def test_a_month_that_was_destroyed_stays_in_quarantine(folder: Path) -> None:
    _, checksum = dry(replay.main, *flags_of(folder))
    destroyed(folder)
    with pytest.raises(InvalidOptions, match="something with another checksum"):
        replay.main([*flags_of(folder), f"--checksum={checksum}"])
    before = read_rows(folder / "out", "quarantine")
    assert "outside_key_ring: 25, of which 0 would leave quarantine" in replayed(folder)
    assert read_rows(folder / "out", "quarantine") == before
    assert {*days_of(folder, "displays")} == {MARCH}
    verified(folder)


def test_a_month_that_is_destroyed_after_its_replay(folder: Path) -> None:
    """Nothing more is replayed, nothing that landed goes, and a second try finds what was replayed."""
    replayed(folder, f"--date={FIRST}")
    destroyed(folder)
    told = replayed(folder)
    assert "15 were replayed before and are left alone" in told
    assert "outside_key_ring: 10, of which 0 would leave" in told
    assert days_of(folder, "displays") == Counter({FIRST: 3, MARCH: 2})
    compacted(folder)
    verified(folder)


@pytest.mark.parametrize("cut", ["begin", "record"])
def test_a_month_that_is_destroyed_while_its_replay_is_cut_off(
    folder: Path, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had landed stays. What had not cannot land any more, stays in quarantine and is not told as replayed."""

    class Cut(BaseException):
        pass

    def raising(*_: Any, **__: Any) -> None:
        raise Cut

    _, checksum = dry(replay.main, *flags_of(folder))
    place: dict[str, tuple[Any, str]] = {
        "begin": (input_run, "_run_pipeline"),
        "record": (ending, "forget_unfinished"),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*place[cut], raising)
        with pytest.raises(Cut):
            replay.main([*flags_of(folder), f"--checksum={checksum}"])
    destroyed(folder)
    before = read_rows(folder / "out", "quarantine")
    replay.main([*flags_of(folder), f"--checksum={checksum}"])
    assert not (folder / "out" / "_unfinished.json").exists()
    assert read_rows(folder / "out", "quarantine") == before
    found = Counter({MARCH: 2}) if cut == "begin" else Counter({FIRST: 3, SECOND: 2, MARCH: 2})
    assert days_of(folder, "displays") == found
    told = sum(len(ids) for found in read_replayed(Output(f"{folder}/out")) for ids in found.payload_ids.values())
    assert told == (0 if cut == "begin" else 25)
    verified(folder)


def test_the_raw_input_again_and_then_its_replay(folder: Path) -> None:
    """The other way to the same rows, from a copy of the raw files: what has landed by it is known as copies."""
    land(folder, folder / "out", "a")
    assert "25 payloads of quarantine are chosen" in replayed(folder)
    for name in ("b", "c"):
        land(folder, folder / "out", name)
    assert landed(folder / "out") == landed(folder / "expected")
    assert "0 payloads" in replayed(folder)
    verified(folder)
