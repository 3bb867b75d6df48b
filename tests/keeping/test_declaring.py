"""A key file that is declared lost: the month goes as far as can be shown, and nobody says more than is known."""

import shutil
from itertools import count
from pathlib import Path

import pytest

from pipelines import keys, verify
from pipelines.keeping import holding, readers
from schemas.errors import ExitCode, InvalidOptions, NotProven
from tests.conftest import DATA, run_batch, sample, write_lines
from tests.support.killed_writes import Killed, killed_after
from tests.support.wrapping import age_identity
from transforms.core.keys import keyring
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.wrapping_keys import VARIABLE

MONTH, KEPT = "2026-12", "2027-01"
DOUBT = (
    r"not proven to be destroyed: the key file of completions/alice was declared lost on \d{4}-\d\d-\d\d by Carol Smith"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A ring whose reader alice holds her file elsewhere."""
    keys.create(f"{tmp_path}/ring", "2026-11", 3)
    readers.add_reader(f"{tmp_path}/ring", "completions", "alice", "2026-11", f"{tmp_path}/alice.json")
    return tmp_path


def declare(place: Path, role: str = "completions", reader: str = "alice", by: str = "Carol Smith") -> None:
    keys.main(["declare_lost", f"--key_ring={place}/ring", f"--role={role}", f"--reader={reader}", f"--by={by}"])


def destroy(place: Path, *more: str, month: str = MONTH) -> None:
    keys.main(["destroy", f"--key_ring={place}/ring", f"--month={month}", f"--confirm={month}", *more])


def listed(place: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    keys.main(["list", f"--key_ring={place}/ring"])
    return capsys.readouterr().out


def test_a_month_goes_as_far_as_can_be_shown_and_nobody_says_destroyed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidOptions, match=r"completions/alice may still hold a key of it: .* declare_lost"):
        destroy(place)
    declare(place)
    assert "was declared lost on " in capsys.readouterr().out
    keys.main(["destroy", f"--key_ring={place}/ring", f"--month={MONTH}"])
    told = capsys.readouterr().out
    assert "not proven: the key file of completions/alice was declared lost" in told
    assert "would remove the keys of 2026-12 where they are known to be" in told
    assert "destroy" not in told.replace("destroyed: none", "")
    with pytest.raises(NotProven, match=f"^the keys of {MONTH} are gone from the key ring and .*{DOUBT}$") as found:
        destroy(place)
    assert found.value.exit_code == ExitCode.NOT_PROVEN == 6
    assert capsys.readouterr().out == ""
    ring = keyring.load(f"{place}/ring")
    assert MONTH not in ring.epochs
    assert MONTH not in load_private(f"{place}/ring/private/completions.json").keys
    told = listed(place, capsys)
    assert "destroyed: none" in told
    assert told.count("destroyed") == 2  # the other one says that it is not proven
    assert "Carol Smith: 2026-11 to 2027-01" in told


def test_what_is_not_proven_is_used_by_nobody_and_never_made_anew(place: Path) -> None:
    declare(place)
    with pytest.raises(NotProven):
        destroy(place)
    assert MONTH not in keys.rotate(f"{place}/ring", f"{place}/ring/private", "2027-02")
    ring = keyring.load(f"{place}/ring")
    assert ring.gone == {MONTH}
    assert "2027-02" in ring.readers["completions"]["alice"].public_keys  # she is a reader until she is removed


@pytest.mark.parametrize("how", ["file", "receipt"])
def test_a_file_that_turns_up_proves_it_after_all(place: Path, capsys: pytest.CaptureFixture[str], how: str) -> None:
    declare(place)
    with pytest.raises(NotProven):
        destroy(place)
    with pytest.raises(NotProven):  # again, and nothing new is known
        destroy(place)
    if how == "file":
        shown = f"--holder={place}/alice.json"
    else:
        holding.forget(f"{place}/alice.json", MONTH, f"{place}/receipt.json")
        shown = f"--receipt={place}/receipt.json"
    capsys.readouterr()
    destroy(place, shown)
    assert capsys.readouterr().out.startswith("destroyed the keys of 2026-12")
    assert MONTH not in load_private(f"{place}/alice.json").keys
    assert "destroyed: 2026-12;" in listed(place, capsys).replace("\n", ";")
    assert keyring.load(f"{place}/ring").not_proven == {}
    with pytest.raises(InvalidOptions, match="--month 2026-12: the ring has"):
        destroy(place)


def test_another_key_of_hers_proves_nothing(place: Path) -> None:
    declare(place)
    with pytest.raises(NotProven):
        destroy(place)
    keys.create(f"{place}/other", "2026-11", 3)
    readers.add_reader(f"{place}/other", "completions", "alice", "2026-11", f"{place}/other.json")
    with pytest.raises(NotProven):
        destroy(place, f"--holder={place}/other.json")
    assert MONTH in load_private(f"{place}/other.json").keys
    holding.forget(f"{place}/other.json", MONTH, f"{place}/receipt.json")
    with pytest.raises(InvalidOptions, match="no holder of this key ring signed it"):
        destroy(place, f"--receipt={place}/receipt.json")


def test_the_file_itself_stands_for_its_holder_also_after_it_was_declared_lost(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(place)
    capsys.readouterr()
    destroy(place, f"--holder={place}/alice.json")
    assert capsys.readouterr().out.startswith("destroyed the keys of 2026-12")
    with pytest.raises(NotProven):
        destroy(place, month=KEPT)


def test_months_that_are_made_later_are_not_lost_with_it(place: Path) -> None:
    declare(place)
    before = Path(place, "ring", "ring.json").read_bytes()
    declare(place, by="Dan")  # again: nothing new is lost
    assert Path(place, "ring", "ring.json").read_bytes() == before
    keys.rotate(f"{place}/ring", f"{place}/ring/private", "2027-02")
    more = f"{place}/ring/private/completions.alice.json"
    shutil.move(more, f"{place}/new_alice.json")
    with pytest.raises(InvalidOptions, match="completions/alice may still hold a key"):
        destroy(place, month="2027-02")
    declare(place, by="Dan")
    assert [lost.months for lost in keyring.load(f"{place}/ring").lost] == [("2026-11", MONTH, KEPT), ("2027-02",)]
    with pytest.raises(NotProven, match="by Dan"):
        destroy(place, month="2027-02")


def test_a_new_file_is_merged_into_the_lost_one_when_it_turns_up(place: Path) -> None:
    declare(place)
    keys.rotate(f"{place}/ring", f"{place}/ring/private", "2027-02")
    holding.merge(f"{place}/alice.json", f"{place}/ring/private/completions.alice.json")
    assert {*load_private(f"{place}/alice.json").keys} == {"2026-11", MONTH, KEPT, "2027-02"}
    destroy(place, f"--holder={place}/alice.json", month="2027-02")


def test_who_has_no_monthly_keys_or_is_no_reader_loses_none(place: Path) -> None:
    with pytest.raises(InvalidOptions, match="not monthly"):
        declare(place, "operators", "operators")
    with pytest.raises(InvalidOptions, match="readers of prompts are prompts"):
        declare(place, "prompts", "alice")
    with pytest.raises(InvalidOptions, match="--by: allowed are"):
        declare(place, by="\n")
    assert keyring.load(f"{place}/ring").lost == []


def test_a_ring_of_version_1_is_lifted_first(tmp_path: Path) -> None:
    ring = Path(shutil.copytree(DATA / "key_ring_1", tmp_path / "ring"))
    (ring / "ring.json").chmod(0o600)
    with pytest.raises(InvalidOptions, match="keys rotate gives it one"):
        declare(tmp_path, "prompts", "prompts")


def test_in_a_wrapped_ring(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    identity = age_identity(place / "age.txt")
    monkeypatch.setenv(VARIABLE, "")
    keys.main(["wrap", f"--key_ring={place}/ring", f"--with={identity}"])
    monkeypatch.setenv(VARIABLE, identity)
    declare(place)
    with pytest.raises(NotProven):
        destroy(place)
    assert b"wrapped_key" in Path(place, "ring", "ring.json").read_bytes()
    assert "not proven to be destroyed" in listed(place, capsys)


def test_a_run_that_is_killed_at_any_write_is_finished_by_the_same_command(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    declare(place)
    for writes in count():
        at = Path(shutil.copytree(place, tmp_path_factory.mktemp("killed") / "at"))
        with killed_after(monkeypatch, writes) as was_killed, pytest.raises((Killed, NotProven)):
            destroy(at)
        assert MONTH not in load_private(f"{at}/ring/private/prompts.json").keys or was_killed()
        with pytest.raises(NotProven):
            destroy(at)
        ring = keyring.load(f"{at}/ring")
        assert (ring.destroyed, ring.destroying, [*ring.not_proven]) == ([MONTH], [], [MONTH])
        destroy(at, f"--holder={at}/alice.json")
        assert keyring.load(f"{at}/ring").not_proven == {}
        if not was_killed():
            assert writes >= 4
            return


def test_verify_tells_it_from_the_next_run_on_and_no_more_when_it_is_proven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.create(f"{tmp_path}/ring", "2026-02", 3)
    ring = f"--key_ring={tmp_path}/ring"
    raw = write_lines(tmp_path / "raw.ndjson", [sample()])
    run_batch(raw, tmp_path / "out", ring)
    declare(tmp_path, "prompts", "prompts")
    (tmp_path / "ring" / "private" / "prompts.json").rename(tmp_path / "prompts.json")
    with pytest.raises(NotProven):
        destroy(tmp_path, month="2026-02")
    run_batch(raw, tmp_path / "out", ring)
    capsys.readouterr()
    verify.main([f"--datasets={tmp_path / 'out'}"])
    told = capsys.readouterr().out
    assert (
        "it is not proven that the keys of 2026-02 are destroyed: the key file of prompts was declared lost on" in told
    )
    assert "Carol" not in told
    destroy(tmp_path, f"--holder={tmp_path}/prompts.json", month="2026-02")
    run_batch(raw, tmp_path / "out", ring)
    verify.main([f"--datasets={tmp_path / 'out'}"])
    assert "not proven" not in capsys.readouterr().out
