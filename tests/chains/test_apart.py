"""A dataset with a claim of its own: what a run wrote is signed, and what it found otherwise is told."""

from pathlib import Path

import pytest

from schemas.errors import KeyUnavailable
from transforms.core.chains.apart import digests_now, sign_apart
from transforms.core.chains.chain import Chain, begin_chain
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import OUTPUT_FILE, Output, claim_of

SIGNER, CLAIM = Signer(b"s" * 31 + b"1"), claim_of("acceptance")
PATHS = ["acceptance/a.json", "acceptance/b.json", "acceptance/c.json"]


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / OUTPUT_FILE).write_text("{}")
    (tmp_path / "acceptance").mkdir()
    begin_chain(Output(str(tmp_path)), SIGNER).append("batch", [])
    return Output(str(tmp_path))


def write(output: Output, path: str, text: str) -> None:
    Path(output.beside(path)).write_text(text)


def test_what_changed_is_signed_and_the_same_again_adds_nothing(output: Output) -> None:
    before = digests_now(output, PATHS)
    write(output, PATHS[0], "1")
    write(output, PATHS[1], "2")
    assert sign_apart(output, SIGNER, CLAIM, "metrics", PATHS, before)
    assert sign_apart(output, SIGNER, CLAIM, "metrics", PATHS, digests_now(output, PATHS)) is None
    before = digests_now(output, PATHS)
    write(output, PATHS[1], "3")
    Path(output.beside(PATHS[0])).unlink()
    sign_apart(output, SIGNER, CLAIM, "metrics", PATHS, before)
    head = Chain(output, SIGNER, "acceptance").head
    assert head
    assert ([file.path for file in head.put], head.removed, head.facts) == ([PATHS[1]], [PATHS[0]], {})


def test_what_the_run_found_and_the_chain_does_not_know_is_told(output: Output) -> None:
    """A run that was killed before its manifest left it, or somebody put it there."""
    write(output, PATHS[2], "found")
    before = digests_now(output, PATHS)
    write(output, PATHS[0], "1")
    sign_apart(output, SIGNER, CLAIM, "metrics", PATHS, before)
    head = Chain(output, SIGNER, "acceptance").head
    assert head
    assert head.facts == {"taken_over": [PATHS[2]]}
    main = begin_chain(output, SIGNER).head
    assert main
    assert head.output == main.output


def test_nothing_is_signed_without_a_ring_until_it_was(output: Output) -> None:
    write(output, PATHS[0], "1")
    assert sign_apart(output, None, CLAIM, "metrics", PATHS, {}) is None
    sign_apart(output, SIGNER, CLAIM, "metrics", PATHS, {})
    with pytest.raises(KeyUnavailable, match="is signed"):
        sign_apart(output, None, CLAIM, "metrics", PATHS, {})
