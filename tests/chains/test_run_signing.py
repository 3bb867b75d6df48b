"""Whether a run is signed, and what it says where it is not."""

from pathlib import Path

import pytest

from schemas.errors import KeyUnavailable
from transforms.core.chains.chain import begin_chain, put_file
from transforms.core.chains.run_signing import Signing, chain_of_run
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import OUTPUT_FILE, Output

SIGNER = Signer(b"s" * 31 + b"1")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / OUTPUT_FILE).write_text("{}")
    return Output(str(tmp_path))


def test_a_new_output_begins_its_chain(output: Output) -> None:
    chain, line = chain_of_run(output, SIGNER)
    assert chain is not None
    assert line == ""
    assert chain_of_run(output, None) == (None, chain_of_run(output, None)[1])
    chain.append("batch", [put_file(output, OUTPUT_FILE)])
    with pytest.raises(KeyUnavailable, match="has no signing key"):
        chain_of_run(output, None)


def test_data_that_was_landed_unsigned_is_not_taken_over(output: Output) -> None:
    (Path(output.path) / "displays" / "received_date=2026-03-29").mkdir(parents=True)
    chain, line = chain_of_run(output, SIGNER)
    assert chain is None
    assert "python -m pipelines.sign" in line


def test_what_an_output_keeps_is_read_for_the_first_manifest_alone(output: Output) -> None:
    """Afterwards it stands in each manifest as it was signed, whatever somebody made of it meanwhile."""
    chain = begin_chain(output, SIGNER)
    (Path(output.path) / "other").write_text("x")
    signing = Signing(chain, RowProof(b"p" * 32), [OUTPUT_FILE, "other"])
    assert [file.path for file in signing.beside_now(output)] == [OUTPUT_FILE, "other"]
    first = put_file(output, OUTPUT_FILE)
    chain.append("batch", signing.beside_now(output))
    Path(output.beside(OUTPUT_FILE)).write_text("{ }")
    assert [file.path for file in signing.beside_now(output)] == ["other"]
    chain.append("batch", signing.beside_now(output))
    assert chain.head is not None
    assert first in chain.head.put
