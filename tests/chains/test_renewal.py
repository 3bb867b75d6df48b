"""A chain is read back past links, and each manifest is the one that the one above it names."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from schemas.errors import KeyUnavailable, StorageRefused
from transforms.core.chains.chain import OUTPUT_CHAIN, Chain, Told, begin_chain
from transforms.core.chains.chain_files import path_of
from transforms.core.chains.renewal import RENEWAL, Descent, Link, link_facts
from transforms.core.chains.run_manifest import OtherKey, RunManifest, Unsound, read_signed, signed
from transforms.core.keys.public_key import read_public_key
from transforms.core.keys.retired import LEAKED, ROUTINE, RetiredKey
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import OUTPUT_FILE, PUBLIC_KEY_FILE, Output

OLD = Signer(b"s" * 31 + b"1")
NEW = Signer(b"s" * 31 + b"2", [OLD.public_key])
RETIRED = RetiredKey(OLD.public_key, datetime(2026, 3, 29, tzinfo=UTC), ROUTINE)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """Manifests 1 to 3 under the old key, a link, and 5 to 6 under the new one."""
    (tmp_path / OUTPUT_FILE).write_text("{}")
    output = Output(str(tmp_path))
    old = begin_chain(output, OLD)
    for _ in range(3):
        old.append("batch", [], told=Told(streams={"a": 7}))
    new = Chain(output, NEW, under=OLD.public_key)
    new.append(RENEWAL, [], told=Told(facts=link_facts(RETIRED, 0, {})))
    for _ in range(2):
        new.append("batch", [])
    return output


def data_of(output: Output, number: int) -> bytes:
    return Path(output.beside(path_of(OUTPUT_CHAIN, number))).read_bytes()


def test_from_the_last_one_down_each_is_opened_by_the_key_of_its_time(output: Output) -> None:
    descent = Descent(OUTPUT_CHAIN, NEW.public_key)
    found = [descent.opened(number, data_of(output, number)) for number in range(6, 0, -1)]
    assert [m.number for m in found] == [6, 5, 4, 3, 2, 1]
    assert all(m.streams == {"a": 7} for m in found)  # the link and what follows hand it on
    assert [(link.number, link.retired_key) for link in descent.links] == [(4, OLD.public_key)]
    assert [m.number for m in Chain(output, NEW).backwards()] == [6, 5, 4, 3, 2, 1]


def test_the_old_key_opens_nothing_above_the_link_and_the_new_one_nothing_below_without_it(output: Output) -> None:
    for key, number in ((OLD.public_key, 6), (NEW.public_key, 3)):
        with pytest.raises(OtherKey, match="signed with another key"):
            Descent(OUTPUT_CHAIN, key).opened(number, data_of(output, number))


def test_a_manifest_of_the_old_key_is_held_against_the_digest_above_it(output: Output) -> None:
    third = read_signed(data_of(output, 3), OLD.public_key)
    for other in (msgspec.structs.replace(third, kind="erase"), msgspec.structs.replace(third, output="0" * 32)):
        descent = Descent(OUTPUT_CHAIN, NEW.public_key)
        for number in (6, 5, 4):
            descent.opened(number, data_of(output, number))
        with pytest.raises(Unsound, match=r"another one than manifest 4 names: put there by|of another output"):
            descent.opened(3, signed(other, OLD))
        assert descent.opened(2, data_of(output, 2)).number == 2  # what is below is looked at all the same


def test_a_forged_link_below_is_not_followed(output: Output) -> None:
    third = read_signed(data_of(output, 3), OLD.public_key)
    foreign = Signer(b"s" * 31 + b"3")
    facts = link_facts(RetiredKey(foreign.public_key, RETIRED.retired_at, LEAKED), 9, {})
    descent = Descent(OUTPUT_CHAIN, NEW.public_key)
    for number in (6, 5, 4):
        descent.opened(number, data_of(output, number))
    with pytest.raises(Unsound):
        descent.opened(3, signed(msgspec.structs.replace(third, kind=RENEWAL, facts=facts), OLD))
    assert descent.key == OLD.public_key


def test_a_chain_of_a_retired_key_says_what_to_do_and_one_of_a_foreign_key_does_not(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    begin_chain(output, OLD).append("batch", [])
    with pytest.raises(
        KeyUnavailable, match=r"was retired: python -m pipelines.sign --datasets .* goes on with the new"
    ):
        Chain(output, NEW)
    with pytest.raises(StorageRefused, match="signed with another key"):
        Chain(output, Signer(b"s" * 31 + b"3"))


def test_a_chain_that_was_not_begun_under_the_old_key_is_begun_under_the_new_one(tmp_path: Path) -> None:
    """Its first run was killed before its first manifest."""
    output = Output(str(tmp_path))
    begin_chain(output, OLD)
    begin_chain(output, NEW).append("batch", [])
    assert read_public_key(output.beside(PUBLIC_KEY_FILE)) == NEW.public_key


@pytest.mark.parametrize("facts", [{}, {"retired_key": "?"}, {**link_facts(RETIRED, 0, {}), "retired_at": 7}])
def test_a_link_that_tells_no_key_is_none(output: Output, facts: dict[str, object]) -> None:
    manifest: RunManifest = read_signed(data_of(output, 4), NEW.public_key)
    with pytest.raises(Unsound, match="tells no key of before"):
        Link(msgspec.structs.replace(manifest, facts=facts))
    assert Link(manifest).told.endswith("which was retired on 2026-03-29")
