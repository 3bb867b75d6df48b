"""What a holder does with her own file: a month is forgotten once and for all, new months are taken."""

import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from pipelines import keys
from pipelines.keeping import holding, readers
from schemas.errors import InvalidOptions
from tests.conftest import PRIVATE
from tests.support.killed_writes import Killed, killed_after
from transforms.core.keys import keyring
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.receipts import is_signed, read_receipt

MONTH = "2026-12"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    keys.create(f"{tmp_path}/ring", "2026-11", 3)
    readers.add_reader(f"{tmp_path}/ring", "completions", "alice", "2026-11", f"{tmp_path}/alice.json")
    return tmp_path


def test_forget_asks_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["forget", f"--private_key={place}/alice.json", f"--month={MONTH}", f"--receipt={place}/r.json"]
    before = (place / "alice.json").read_bytes()
    keys.main(flags)
    assert "for ever; to do it add --confirm 2026-12" in capsys.readouterr().out
    assert (place / "alice.json").read_bytes() == before
    assert not (place / "r.json").exists()
    keys.main([*flags, f"--confirm={MONTH}"])
    assert sorted(load_private(f"{place}/alice.json").keys) == ["2026-11", "2027-01"]
    assert is_signed(keyring.load(f"{place}/ring"), read_receipt(f"{place}/r.json"))


def test_no_receipt_is_there_before_the_key_is_gone_wherever_a_run_ends(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for writes in count():
        path, receipt = str(shutil.copy(place / "alice.json", place / f"{writes}.json")), place / f"{writes}.receipt"
        with killed_after(monkeypatch, writes) as was_killed, suppress(Killed):
            holding.forget(path, MONTH, str(receipt))
        assert not receipt.exists() or MONTH not in load_private(path).keys
        holding.forget(path, MONTH, str(receipt))
        assert MONTH not in load_private(path).keys
        assert is_signed(keyring.load(f"{place}/ring"), read_receipt(str(receipt)))
        if not was_killed():
            assert writes == 2
            return


def test_a_file_of_an_older_version_cannot_sign_and_says_what_to_do(tmp_path: Path) -> None:
    path = str(shutil.copy(PRIVATE / "prompts.json", tmp_path / "prompts.json"))
    Path(path).chmod(0o600)
    with pytest.raises(InvalidOptions, match=r"no key that signs receipts.*give the file itself to `keys destroy"):
        holding.forget(path, "2026-03", f"{tmp_path}/r.json")
    assert "2026-03" in load_private(path).keys


def test_new_months_are_taken_and_what_was_forgotten_does_not_come_back(place: Path) -> None:
    before = str(shutil.copy(place / "alice.json", place / "copy.json"))
    holding.forget(f"{place}/alice.json", MONTH, f"{place}/r.json")
    keys.rotate(f"{place}/ring", f"{place}/ring/private", "2027-02")
    more = place / "ring" / "private" / "completions.alice.json"
    assert holding.merge(f"{place}/alice.json", str(more)) == ["2027-02"]
    assert not more.exists()
    assert holding.merge(f"{place}/alice.json", before) == []
    assert sorted(load_private(f"{place}/alice.json").keys) == ["2026-11", "2027-01", "2027-02"]


def test_files_of_two_holders_or_with_two_keys_of_a_month_are_not_mixed(place: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"it is the key file of completions, and .* that of completions/alice"):
        holding.merge(f"{place}/alice.json", f"{place}/ring/private/completions.json")
    keys.create(f"{place}/other", MONTH, 1)
    with pytest.raises(InvalidOptions, match="its key of 2026-12 is another one"):
        holding.merge(f"{place}/ring/private/prompts.json", f"{place}/other/private/prompts.json")
    assert (place / "other" / "private" / "prompts.json").exists()
