"""A month's keys are destroyed with every holder, or nothing is, wherever a run ends."""

import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import keys
from pipelines.keeping import holding, readers
from schemas.errors import InvalidOptions, KeyUnavailable
from tests.conftest import DATA, KEY_RING, PRIVATE
from tests.support.killed_writes import Killed, killed_after
from transforms.core.keys import keyring
from transforms.core.keys.private_keys import PrivateKeys, dump_private, load_private

MONTH, KEPT = "2026-12", "2027-01"
HOLDERS = ("prompts", "completions", "completions/alice")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring with a named reader whose file lies elsewhere."""
    folder = tmp_path_factory.mktemp("whole")
    keys.create(f"{folder}/ring", "2026-11", 3)
    readers.add_reader(f"{folder}/ring", "completions", "alice", "2026-12", f"{folder}/alice.json")
    return folder


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "place"))


def file_of(place: Path, holder: str) -> str:
    return str(place / ("alice.json" if "/" in holder else f"ring/private/{holder}.json"))


def months_of(path: str) -> set[str]:
    return {*load_private(path).keys}


def is_untouched(place: Path, whole: Path) -> bool:
    names = [str(p.relative_to(whole)) for p in whole.rglob("*") if p.is_file()]
    return all((place / name).read_bytes() == (whole / name).read_bytes() for name in names)


def test_nothing_is_destroyed_while_one_holder_is_not_accounted_for(
    place: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["destroy", f"--key_ring={place}/ring", f"--month={MONTH}"]
    for more in ([], [f"--confirm={MONTH}"]):
        with pytest.raises(InvalidOptions, match=r"nothing was destroyed, as completions/alice may still hold") as told:
            keys.main([*flags, *more])
        assert "prompts" not in str(told.value)
        shutil.move(place / "ring" / "private", place / "moved")
        with pytest.raises(InvalidOptions, match=r"as prompts, completions, completions/alice may still hold"):
            keys.main([*flags, *more])
        shutil.move(place / "moved", place / "ring" / "private")
    assert is_untouched(place, whole)
    keys.main([*flags, f"--holder={place}/alice.json"])
    assert "would destroy the keys of 2026-12 for ever" in capsys.readouterr().out
    assert is_untouched(place, whole)
    keys.main([*flags, f"--holder={place}/alice.json", f"--confirm={MONTH}"])
    assert capsys.readouterr().out.startswith("destroyed the keys of 2026-12")
    for holder in HOLDERS:
        assert MONTH not in months_of(file_of(place, holder))
        assert KEPT in months_of(file_of(place, holder))


def test_a_signed_receipt_stands_for_a_file_that_lies_elsewhere(place: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"--month 2030-01: .* has no key of it"):
        holding.forget(f"{place}/alice.json", "2030-01", f"{place}/receipt.json")
    holding.forget(f"{place}/alice.json", MONTH, f"{place}/receipt.json")
    assert MONTH not in months_of(f"{place}/alice.json")
    (place / "alice.json").rename(place / "on_her_machine.json")
    keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, receipts=[f"{place}/receipt.json"])
    ring = keyring.load(f"{place}/ring")
    assert ring.destroyed == [MONTH]
    assert not any(MONTH in held for named in ring.public_keys.values() for held in named.values())


def test_a_file_that_never_held_the_month_stands_for_nobody(place: Path) -> None:
    """As `rotate` makes one while the holder's own lies elsewhere: the month is in that one."""
    (place / "ring" / "private" / "prompts.json").rename(place / "prompts_of_before.json")
    keys.rotate(f"{place}/ring", f"{place}/ring/private", "2027-02")
    assert months_of(file_of(place, "prompts")) == {"2027-02"}
    alice = [f"{place}/alice.json"]
    with pytest.raises(InvalidOptions, match=r"nothing was destroyed, as prompts may still hold a key"):
        keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, holders=alice)
    before = [*alice, f"{place}/prompts_of_before.json"]
    keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, holders=before)
    assert months_of(before[1]) == {"2026-11", "2027-01"}


def test_another_key_under_the_months_name_stands_for_nobody(place: Path) -> None:
    other = place / "other"
    keys.create(str(other), MONTH, 1)
    shutil.copy(other / "private" / "prompts.json", file_of(place, "prompts"))
    with pytest.raises(InvalidOptions, match="as prompts, completions/alice may still hold"):
        keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH)
    assert MONTH in months_of(file_of(place, "prompts"))


def test_receipts_of_others_are_refused_by_name(place: Path) -> None:
    keys.create(f"{place}/other", MONTH, 2)
    holding.forget(f"{place}/other/private/prompts.json", MONTH, f"{place}/foreign.json")
    holding.forget(f"{place}/alice.json", "2027-01", f"{place}/january.json")
    for name, told in (
        ("foreign", "no holder of this key ring signed it"),
        ("january", "it is of 2027-01, not of 2026-12"),
    ):
        with pytest.raises(InvalidOptions, match=told):
            keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, receipts=[f"{place}/{name}.json"])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_it_is_destroyed_exactly_where_every_holder_is_accounted_for(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Each holder gives a file, a receipt, both, a second copy or nothing, in any order."""
    place = Path(shutil.copytree(whole, tmp_path_factory.mktemp("law") / "place"))
    files, receipts, complete = [], [], True
    for number, holder in enumerate(HOLDERS):
        path = str(place / f"{number}.json")
        shutil.move(file_of(place, holder), path)
        gives = data.draw(st.sets(st.sampled_from(["file", "receipt", "copy"])))
        if "copy" in gives:
            files.append(shutil.copy(path, f"{path}.copy"))
        if "receipt" in gives:
            receipts.append(f"{path}.receipt")
            holding.forget(path, MONTH, receipts[-1])
        if "file" in gives:
            files.append(path)
        complete &= bool(gives)
    files = data.draw(st.permutations(files))
    if complete:
        keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, files, receipts)
        assert keyring.load(f"{place}/ring").destroyed == [MONTH]
        assert all(months_of(path) and MONTH not in months_of(path) for path in files)
    else:
        before = {path: Path(path).read_bytes() for path in [*files, f"{place}/ring/ring.json"]}
        with pytest.raises(InvalidOptions, match="nothing was destroyed"):
            keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, files, receipts)
        assert {path: Path(path).read_bytes() for path in before} == before


@pytest.mark.parametrize("version", [1, 2])
def test_a_run_that_is_killed_at_any_write_is_finished_by_the_same_command(
    place: Path, monkeypatch: pytest.MonkeyPatch, version: int, tmp_path: Path
) -> None:
    """Whatever was written: the month is not called destroyed before it is gone everywhere, and the end is the same."""
    for writes in count():
        at = tmp_path / f"{version}-{writes}"
        if version == 1:
            ring, files = _old_ring(at), []
        else:
            ring, files = str(shutil.copytree(place, at) / "ring"), [f"{at}/alice.json"]
        held = [*files, *map(str, Path(ring, "private").glob("*.json"))]
        with killed_after(monkeypatch, writes) as was_killed, suppress(Killed):
            keys.destroy(ring, f"{ring}/private", MONTH, files)
        after = keyring.load(ring)
        if any(MONTH in months_of(path) for path in held):
            assert MONTH not in after.destroyed
        if was_killed():
            assert MONTH in after.epochs or after.gone == {MONTH}
            with killed_after(monkeypatch, 1), suppress(Killed, InvalidOptions):  # once more, after its first write
                keys.destroy(ring, f"{ring}/private", MONTH, files)
            if MONTH not in keyring.load(ring).destroyed:
                keys.destroy(ring, f"{ring}/private", MONTH, files)
        after = keyring.load(ring)
        assert (after.destroyed, after.destroying) == ([MONTH], [])
        assert not any(MONTH in months_of(path) for path in held)
        if not was_killed():
            assert writes >= 4
            return


def _old_ring(at: Path) -> str:
    """A ring and private files of version 1."""
    (at / "private").mkdir(parents=True)
    shutil.copy(DATA / "key_ring_1" / "ring.json", at / "ring.json")
    for role in ("prompts", "completions"):
        shutil.copy(PRIVATE / f"{role}.json", at / "private" / f"{role}.json")
        assert load_private(f"{at}/private/{role}.json").receipt_key is None
    for path in (at / "ring.json", *(at / "private").iterdir()):
        path.chmod(0o600)
    assert keyring.load(str(at)).edition == 0
    return str(at)


def test_a_month_that_is_being_destroyed_is_used_by_nobody_and_never_made_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from transforms.core.keys.open_ring import open_pseudonyms, open_quarantine, open_roles

    with killed_after(monkeypatch, 2), pytest.raises(Killed):
        keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, [f"{place}/alice.json"])
    ring = f"{place}/ring"
    with pytest.raises(KeyUnavailable, match="the key of epoch 2026-12 is gone"):
        open_pseudonyms(ring).pseudonymizer("user", MONTH)
    assert MONTH in open_quarantine(ring).destroyed
    assert MONTH not in keys.rotate(ring, f"{ring}/private", "2027-01")
    keys.main(["list", f"--key_ring={ring}"])
    assert "being destroyed, finish it: 2026-12" in capsys.readouterr().out
    assert open_roles(ring)


def test_a_holders_file_that_others_would_read_is_not_made_so(place: Path) -> None:
    """It keeps the mode that she gave it."""
    Path(f"{place}/alice.json").chmod(0o400)
    keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, [f"{place}/alice.json"])
    assert Path(f"{place}/alice.json").stat().st_mode & 0o777 == 0o400


def test_what_a_killed_run_left_half_beside_a_holders_file_is_gone(place: Path) -> None:
    half = place / ".writing-0-alice.json.half"
    half.write_bytes(dump_private(PrivateKeys("completions", {})))
    keys.destroy(f"{place}/ring", f"{place}/ring/private", MONTH, [f"{place}/alice.json"])
    assert not half.exists()


def test_the_rings_of_the_tests_are_of_both_versions() -> None:
    assert keyring.load(KEY_RING).edition == 1
