"""An output that was begun unsigned is signed by a command of its own, and by nothing else."""

import shutil
from pathlib import Path

import pytest

from pipelines import batch, sign
from schemas.errors import InvalidOptions, KeyUnavailable, UnbalancedBooks
from tests.conftest import DATA, KEY_RING, run_batch, sample, write_lines
from tests.support.signed_outputs import alter_cell, first, problems, verified, write_public_key

RING_1 = str(DATA / "key_ring_1")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Written with a ring of version 1, with the same keys."""
    raw = write_lines(tmp_path / "raw.ndjson", [sample(), sample("outcomes/pass/ghostText.accepted"), b"{"])
    batch.run([f"--input={raw}", f"--output={tmp_path / 'out'}", f"--key_ring={RING_1}", "--buckets=4"])
    return tmp_path / "out"


def signed(output: Path) -> None:
    sign.main([f"--datasets={output}", f"--key_ring={KEY_RING}"])


def test_a_run_with_a_ring_of_version_1_says_that_it_is_not_signed(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = write_lines(output.parent / "more.ndjson", [sample("outcomes/pass/ghostText.rejected")])
    batch.run([f"--input={raw}", f"--output={output}", f"--key_ring={RING_1}", "--buckets=4"])
    assert "this run is not signed: the key ring is of version 1" in capsys.readouterr().err
    verified(output)
    assert "this output is not signed" in capsys.readouterr().err


def test_nothing_that_was_there_is_signed_by_a_run(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_batch(output.parent / "raw.ndjson", output)
    assert "was begun without; python -m pipelines.sign" in capsys.readouterr().err
    assert not (output / "runs" / "manifests").exists()


def test_what_is_signed_is_verified_and_goes_on(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signed(output)
    key = f"--public_key={write_public_key(tmp_path / 'signing.pub')}"
    verified(output, key)
    run_batch(write_lines(tmp_path / "more.ndjson", [sample("outcomes/pass/ghostText.rejected")]), output)
    run_batch(tmp_path / "raw.ndjson", output)
    verified(output, key)
    alter_cell(first(output, "displays/*/*.parquet"))
    assert any("altered" in line for line in problems(output, capsys, key))
    with pytest.raises(InvalidOptions, match="is signed already"):
        signed(output)


def test_a_ring_that_cannot_sign_is_refused_where_the_output_is_signed(output: Path) -> None:
    signed(output)
    with pytest.raises(KeyUnavailable, match=r"is signed, and this key ring has no signing key|is older"):
        batch.run([f"--input={output.parent / 'raw.ndjson'}", f"--output={output}", f"--key_ring={RING_1}"])
    with pytest.raises(KeyUnavailable, match="of version 1, it cannot sign"):
        sign.main([f"--datasets={output}", f"--key_ring={RING_1}"])


def test_what_is_not_known_or_does_not_balance_is_not_signed(output: Path, tmp_path: Path) -> None:
    (output / "notes.txt").write_text("x")
    with pytest.raises(InvalidOptions, match=r"must not be signed: notes.txt: not a file of this system"):
        signed(output)
    (output / "notes.txt").unlink()
    path = first(output, "displays/*/*.parquet")
    shutil.copy(path, tmp_path / "kept")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UnbalancedBooks, match="does not end as a Parquet file does"):
        signed(output)
    assert not (output / "runs" / "manifests").exists()
    with pytest.raises(InvalidOptions, match="no output of the jobs"):
        signed(tmp_path / "none")
