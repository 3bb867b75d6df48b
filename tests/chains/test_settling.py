"""What killed runs left: what is whole is signed as the run would have, and nothing else."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines import erase, sign
from pipelines.running import input_run
from schemas.errors import KeyUnavailable
from tests.conftest import KEY_RING, PRIVATE, run_batch, write_lines
from tests.support.changes import done
from tests.support.killed_writes import Killed
from tests.support.persons import life, people_file
from tests.support.signed_outputs import first, problems, verified, write_public_key
from tests.verifying.test_signed import forge_ledger_row
from transforms.core.chains.chain import Chain
from transforms.core.chains.run_manifest import RunManifest
from transforms.core.chains.settling import settle
from transforms.core.chains.unsigned_inputs import unsigned_inputs
from transforms.core.keys.open_ring import open_signing
from transforms.core.output.layout import Output

KEYS = open_signing(KEY_RING)
PEOPLE = range(4)


def run_killed(raw: Path, output: Path, place: str = "sign_input") -> None:
    """A batch run that ends where it would call that function."""

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_run, place, die)
        with pytest.raises(Killed):
            run_batch(raw, output)


def raw_of(folder: Path, name: str, number: int) -> Path:
    return write_lines(folder / f"{name}.ndjson", [row for person in PEOPLE for row in life(person, number)])


def erased(output: Output, folder: Path, people: list[int]) -> None:
    keys = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
    flags = [f"--datasets={output}", f"--key_ring={KEY_RING}", f"--people={people_file(folder, people)}", *keys]
    assert "receipt: " in done(erase.main, *flags)


def head_of(output: Output) -> RunManifest:
    assert KEYS
    head = Chain(output, KEYS.signer).head
    assert head
    return head


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run that signed, and one that was killed before."""
    folder = tmp_path_factory.mktemp("settling")
    run_batch(raw_of(folder, "first", 0), folder / "out")
    run_killed(raw_of(folder, "second", 1), folder / "out")
    return folder


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Output:
    shutil.copytree(made / "out", tmp_path / "out")
    return Output(str(tmp_path / "out"))


@pytest.fixture
def key(tmp_path: Path) -> str:
    return f"--public_key={write_public_key(tmp_path / 'signing.pub')}"


def test_what_is_whole_is_signed_once(output: Output, key: str) -> None:
    (digest,) = unsigned_inputs(output)
    assert settle(output, KEYS) == [f"signed input {digest}, whose run was cut off before it had"]
    verified(output.path, key)
    assert settle(output, KEYS) == []
    assert unsigned_inputs(output) == []


def test_without_keys_nothing_is_signed(output: Output, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="is signed"):
        settle(output, None)
    assert settle(Output(str(tmp_path / "none")), None) == []


def test_what_is_not_whole_stays_unsigned_whatever_changes_it(
    made: Path, output: Output, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (digest,) = unsigned_inputs(output)
    first(Path(output.path), f"ledger/*/{digest}-*.parquet").unlink()
    assert settle(output, KEYS) == []
    files = {path: path.read_bytes() for path in Path(output.path).glob(f"*/*/{digest}-*.parquet")}
    erased(output, tmp_path, [1, 2, 3])
    assert any(not path.exists() or path.read_bytes() != data for path, data in files.items())
    assert not any(digest in file.path for file in head_of(output).put)
    found = problems(output.path, capsys, key)
    assert found
    assert all(digest in line for line in found)
    assert not any("altered" in line for line in found)
    run_batch(made / "second.ndjson", output.path)
    verified(output.path, key)


def test_a_row_that_no_worker_wrote_is_not_signed(output: Output, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    (digest,) = unsigned_inputs(output)
    forge_ledger_row(first(Path(output.path), f"ledger/*/{digest}-*.parquet"))
    assert settle(output, KEYS) == []
    assert problems(output.path, capsys, key)


def test_what_somebody_brings_back_is_not_signed_again(
    output: Output, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole input as it was when its run was cut off, rows of erased people included, and the note of it."""
    before = Path(shutil.copytree(output.path, tmp_path / "before"))
    erased(output, tmp_path, [1])
    for path in before.rglob("*"):
        if path.is_file() and ("received_date=" in str(path) or "_unsigned" in str(path)):
            target = Path(output.path) / path.relative_to(before)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    assert settle(output, KEYS) == []
    assert any("rolled back" in line for line in problems(output.path, capsys, key))


def test_a_run_that_was_killed_when_it_had_signed(made: Path, output: Output, key: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(input_run, "end_input", lambda *_: None)
        run_batch(made / "second.ndjson", output.path)
    assert unsigned_inputs(output) != []
    assert settle(output, KEYS) == []
    assert unsigned_inputs(output) == []
    verified(output.path, key)


@pytest.mark.parametrize("place", ["sign_input", "_checked_marks"])
def test_a_first_run_that_was_killed_leaves_an_output_that_is_signed(
    tmp_path: Path, key: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, output = raw_of(tmp_path, "first", 0), tmp_path / "out"
    run_killed(raw, output, place)
    run_batch(raw, output)
    assert "has no manifest yet: its first run was cut off" in capsys.readouterr().err
    verified(output, key)


def test_a_change_after_a_first_run_that_was_killed_begins_the_chain(tmp_path: Path, key: str) -> None:
    output = Output(str(tmp_path / "out"))
    run_killed(raw_of(tmp_path, "first", 0), tmp_path / "out")
    assert len(settle(output, KEYS)) == 1
    verified(output.path, key)


def test_who_signs_all_that_is_there_ends_the_note(tmp_path: Path, key: str) -> None:
    run_killed(raw_of(tmp_path, "first", 0), tmp_path / "out")
    sign.main([f"--datasets={tmp_path}/out", f"--key_ring={KEY_RING}"])
    assert unsigned_inputs(Output(str(tmp_path / "out"))) == []
    verified(tmp_path / "out", key)
