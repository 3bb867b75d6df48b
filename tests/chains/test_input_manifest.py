"""The manifest of a batch input: what ledger rows vouch for, once, and beside what later changes have told."""

from pathlib import Path

import pytest

from pipelines import keys
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from tests.support.renewed import signer_of
from tests.support.signed_outputs import alter_cell, first, verified, write_public_key
from transforms.core.chains.chain import Chain, record_change
from transforms.core.chains.input_manifest import is_of_input, words_of_input
from transforms.core.keys.open_ring import open_signer
from transforms.core.output.layout import Output


@pytest.fixture
def output(tmp_path: Path) -> Path:
    run_batch(
        write_lines(tmp_path / "raw.ndjson", [sample(), sample("outcomes/pass/ghostText.accepted")]), tmp_path / "out"
    )
    return tmp_path / "out"


def chain(output: Path) -> Chain:
    signer = open_signer(KEY_RING)
    assert signer
    return Chain(Output(str(output)), signer)


def test_a_run_with_other_buckets_says_what_it_removed(output: Path, tmp_path: Path) -> None:
    run_batch(tmp_path / "raw.ndjson", output, "--buckets=2")
    head = chain(output).head
    assert head
    assert head.number == 2
    assert head.removed
    assert all("of0004" in path for path in head.removed)
    verified(output, f"--public_key={write_public_key(tmp_path / 'k')}")


def test_what_a_later_change_has_put_stays_as_it_told(output: Path, tmp_path: Path) -> None:
    """A file that was rewritten while its ledger row was not: the same run again does not take the row's word for it."""
    path = first(output, "displays/*/*.parquet")
    inside = str(path.relative_to(output))
    digest = path.name.partition("-")[0]
    alter_cell(path)
    record_change(Output(str(output)), open_signer(KEY_RING), "compact", [inside], [], {})
    words = words_of_input(chain(output), digest)
    assert words[inside] != words_of_input_first(output, digest)[inside]
    assert all(is_of_input(name, digest) for name in words)


def words_of_input_first(output: Path, digest: str) -> dict[str, object]:
    *_, manifest = chain(output).backwards()
    return {file.path: file for file in manifest.put if is_of_input(file.path, digest)}


def test_a_ring_of_a_new_edition_is_told_though_no_row_changed(tmp_path: Path) -> None:
    """What the output keeps of its ring is then another file, which no manifest named."""
    keys.create(f"{tmp_path}/ring", "2026-03", 1)
    ring, raw = f"--key_ring={tmp_path}/ring", write_lines(tmp_path / "raw.ndjson", [sample()])
    run_batch(raw, tmp_path / "out", ring)
    keys.rotate(f"{tmp_path}/ring", f"{tmp_path}/ring/private", "2026-05")
    for _ in range(2):
        run_batch(raw, tmp_path / "out", ring)
        verified(tmp_path / "out")
    assert Chain(Output(f"{tmp_path}/out"), signer_of(tmp_path / "ring")).number == 2
