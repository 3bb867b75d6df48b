"""What an output keeps is signed before it is changed; what somebody altered is told until it is mended."""

from pathlib import Path

import pytest

from transforms.core.chains.chain import Chain, begin_chain, put_file, record_change
from transforms.core.chains.kept import BROUGHT_BACK, KEPT, TAKEN_OVER, announce_kept
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import OUTPUT_FILE, Output

SIGNER = Signer(b"s" * 31 + b"1")
FIRST, SECOND, ALTERED = b"first", b"second", b"altered"


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / OUTPUT_FILE).write_bytes(FIRST)
    output = Output(str(tmp_path))
    begin_chain(output, SIGNER).append("batch", [put_file(output, OUTPUT_FILE)])
    return output


def begun(output: Output, data: bytes, *, killed: bool = False) -> Chain:
    """A run that begins, and writes what the output keeps unless it is killed before."""
    chain = Chain(output, SIGNER)
    announce_kept(output, chain, data)
    if not killed:
        Path(output.beside(OUTPUT_FILE)).write_bytes(data)
    return chain


def facts(output: Output) -> list[tuple[str, dict[str, object]]]:
    return [(m.kind, m.facts) for m in Chain(output, SIGNER).backwards()][::-1]


def test_nothing_is_added_where_nothing_changes(output: Output) -> None:
    begun(output, FIRST)
    assert facts(output) == [("batch", {})]


@pytest.mark.parametrize("kills", [0, 1, 3])
def test_a_change_is_signed_before_it_is_made_so_that_a_killed_run_leaves_nothing_to_explain(
    output: Output, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(kills):
        begun(output, SECOND, killed=True)
        assert Path(output.beside(OUTPUT_FILE)).read_bytes() == FIRST
    chain = begun(output, SECOND)
    assert facts(output) == [("batch", {}), (KEPT, {})]
    assert chain.head is not None
    assert chain.head.put == [put_file(output, OUTPUT_FILE)]
    assert capsys.readouterr().err == ""


def test_what_was_altered_is_told_until_it_is_brought_back(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    begun(output, SECOND)
    Path(output.beside(OUTPUT_FILE)).write_bytes(ALTERED)
    begun(output, ALTERED)
    assert "is not as manifest 2 says: somebody altered it" in capsys.readouterr().err
    begun(output, ALTERED)
    begun(output, b"altered, with keys of another month")
    Path(output.beside(OUTPUT_FILE)).write_bytes(FIRST)
    begun(output, FIRST)
    assert facts(output)[-1] == (KEPT, {TAKEN_OVER: [OUTPUT_FILE]}), "an older state is none that is brought back"
    Path(output.beside(OUTPUT_FILE)).write_bytes(b"altered, with keys of another month")
    begun(output, b"altered, with keys of another month")
    assert facts(output)[-1] == (KEPT, {BROUGHT_BACK: [OUTPUT_FILE]}), "as it was before it was taken over last"


def test_brought_back_is_what_was_signed_before(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    Path(output.beside(OUTPUT_FILE)).write_bytes(ALTERED)
    begun(output, ALTERED)
    capsys.readouterr()
    Path(output.beside(OUTPUT_FILE)).write_bytes(FIRST)
    begun(output, SECOND)
    assert [told for _, told in facts(output)] == [{}, {TAKEN_OVER: [OUTPUT_FILE]}, {BROUGHT_BACK: [OUTPUT_FILE]}]
    assert capsys.readouterr().err == ""
    begun(output, SECOND)
    assert len(facts(output)) == 3


def test_a_change_by_another_job_signs_nothing_that_somebody_altered(output: Output) -> None:
    """As a deletion each night would."""
    before = put_file(output, OUTPUT_FILE)
    Path(output.beside(OUTPUT_FILE)).write_bytes(ALTERED)
    (Path(output.path) / "receipt").write_text("x")
    record_change(output, SIGNER, "expire", ["receipt"], [], {"files": 0})
    head = Chain(output, SIGNER).head
    assert head is not None
    assert before in head.put
    assert record_change(output, SIGNER, "expire", ["receipt"], [], {"files": 0}) == str(Chain(output, SIGNER))
