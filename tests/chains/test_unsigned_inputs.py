"""The note of an input whose run has begun and not signed: who is believed, and how long."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from transforms.core.chains.chain import Chain, Told, begin_chain, put_file
from transforms.core.chains.run_manifest import PutFile
from transforms.core.chains.run_signing import Signing
from transforms.core.chains.unsigned_inputs import (
    Begun,
    begin_input,
    end_input,
    is_believed,
    is_signed_since,
    read_begun,
    unsigned_inputs,
)
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import OUTPUT_FILE, Output

SIGNER, PROOF = Signer(b"s" * 31 + b"1"), RowProof(b"p" * 32)
INPUT, OTHER = "00000000000000aa", "00000000000000ab"
FIRST, SECOND = date(2026, 3, 28), date(2026, 3, 29)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / OUTPUT_FILE).write_text("{}")
    return Output(str(tmp_path))


@pytest.fixture
def chain(output: Output) -> Chain:
    made = begin_chain(output, SIGNER)
    made.append("batch", [put_file(output, OUTPUT_FILE)])
    return made


def noted(output: Output, chain: Chain, *days: date) -> Begun:
    return begin_input(output, Signing(chain, PROOF, [OUTPUT_FILE], FIRST), INPUT, days, is_again=False)


def file_of(digest: str) -> PutFile:
    return PutFile(f"displays/received_date=2026-03-29/{digest}-0000of0004.parquet", 1, 1, "0" * 64)


def test_a_note_is_there_from_the_begin_to_the_end(output: Output, chain: Chain) -> None:
    assert unsigned_inputs(output) == []
    begun = noted(output, chain, FIRST)
    assert unsigned_inputs(output) == [INPUT]
    assert read_begun(output, INPUT) == begun
    assert (begun.number, begun.beside) == (1, [put_file(output, OUTPUT_FILE)])
    assert is_believed(begun, INPUT, chain, PROOF)
    end_input(output, INPUT)
    assert unsigned_inputs(output) == []
    assert read_begun(output, INPUT) is None


def test_days_that_a_run_found_which_was_cut_off_are_known_to_the_next_one(output: Output, chain: Chain) -> None:
    noted(output, chain, FIRST)
    assert noted(output, chain, SECOND).days_before == [FIRST, SECOND]


def test_only_the_rings_own_note_of_that_input_is_believed(output: Output, chain: Chain) -> None:
    begun = noted(output, chain)
    assert not is_believed(begun, OTHER, chain, PROOF)
    assert not is_believed(begun, INPUT, chain, RowProof(b"q" * 32))
    altered = msgspec.structs.replace(begun, beside=[file_of(OTHER)])
    assert not is_believed(altered, INPUT, chain, PROOF)
    Path(output.beside("_unsigned", f"{INPUT}.json")).write_text("{")
    assert read_begun(output, INPUT) is None


def test_what_a_manifest_has_told_since_ends_it(output: Output, chain: Chain) -> None:
    begun = noted(output, chain)
    chain.append("batch", [file_of(OTHER)])
    assert is_believed(begun, INPUT, chain, PROOF)
    chain.append("erase", [], [file_of(INPUT).path])
    assert not is_believed(begun, INPUT, chain, PROOF)
    assert not is_signed_since(begun, chain)


def test_a_run_that_was_killed_when_it_had_signed(output: Output, chain: Chain) -> None:
    begun = noted(output, chain)
    chain.append("batch", [file_of(INPUT)], told=Told(INPUT))
    assert is_signed_since(begun, chain)
    assert not is_believed(begun, INPUT, chain, PROOF)
