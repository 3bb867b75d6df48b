"""What an output keeps of its first run on: too many buckets and other keys are refused, and how to go on is said."""

import json
from pathlib import Path

import pytest

from schemas.errors import InvalidOptions, StorageUnavailable
from transforms.core.keys import keyring
from transforms.core.keys.documents import key_text
from transforms.core.keys.keyring import KeyRing
from transforms.core.output.layout import Output
from transforms.core.output.output_facts import begin_output, check_output, slots_of


def ring_of(*months: str) -> KeyRing:
    ring, _ = keyring.create()
    for month in months:
        ring.add_month(month)
    return ring


def test_a_new_output_takes_any_ring(tmp_path: Path) -> None:
    check_output(Output(str(tmp_path)), 16, ring_of("2026-03"))
    check_output(Output(str(tmp_path / "none")), 1, ring_of())


def test_the_same_again_and_months_more(tmp_path: Path) -> None:
    output, ring = Output(str(tmp_path)), ring_of("2026-03")
    begin_output(output, 4, ring)
    first = (tmp_path / "_output.json").read_bytes()
    begin_output(output, 4, ring)
    assert (tmp_path / "_output.json").read_bytes() == first
    ring.add_month("2026-04")
    check_output(output, 4, ring)
    begin_output(output, 4, ring)
    assert (tmp_path / "_output.json").read_bytes() != first
    del ring.epochs["2026-04"]
    with pytest.raises(InvalidOptions, match=r"epochs.2026-04, with which .* was written, is gone"):
        check_output(output, 4, ring)


@pytest.mark.parametrize(("first", "slots"), [(1, 16), (16, 16), (40, 40)])
def test_a_run_has_at_most_as_many_buckets_as_the_output_has_slots(tmp_path: Path, first: int, slots: int) -> None:
    ring, output = ring_of("2026-03"), Output(str(tmp_path))
    assert slots_of(output) is None
    assert begin_output(output, first, ring) == slots_of(output) == slots
    for buckets in (None, 1, slots):
        check_output(output, buckets, ring)
    assert begin_output(output, 2, ring) == slots
    with pytest.raises(
        InvalidOptions, match=rf"--buckets {slots + 1}: .* with {slots} slots .* use --buckets {slots} or"
    ):
        check_output(output, slots + 1, ring)


def test_an_output_of_an_older_version_has_as_many_slots_as_it_had_buckets(tmp_path: Path) -> None:
    ring, output = ring_of("2026-03"), Output(str(tmp_path))
    facts = {"version": 2, "buckets": 10, "key_ring": ring.check_value, "entries": ring.entry_checks}
    (tmp_path / "_output.json").write_text(json.dumps(facts))
    half = tmp_path / "displays" / "received_date=2026-03-31" / ".writing-0-a-0000.parquet.half"
    half.parent.mkdir(parents=True)
    half.touch()
    check_output(output, 10, ring)
    assert begin_output(output, 1, ring) == slots_of(output) == 10
    assert not half.exists()  # newer versions leave none there, and look there no more
    assert json.loads((tmp_path / "_output.json").read_text())["version"] == 3


def test_another_ring(tmp_path: Path) -> None:
    begin_output(Output(str(tmp_path)), 4, ring_of("2026-03"))
    with pytest.raises(InvalidOptions, match="was begun with another key ring"):
        check_output(Output(str(tmp_path)), 4, ring_of("2026-03"))


@pytest.mark.parametrize("place", ["transport", "epochs.2026-03", "public_keys.prompts.2026-03"])
def test_one_key_that_was_changed_under_its_name(tmp_path: Path, place: str) -> None:
    ring = ring_of("2026-03")
    begin_output(Output(str(tmp_path)), 4, ring)
    kind, _, name = place.partition(".")
    if kind == "transport":
        ring.transport = bytes(32)
    elif kind == "epochs":
        ring.epochs[name] = bytes(32)
    else:
        role, _, month = name.partition(".")
        ring.public_keys[role][month] = ring_of("2026-03").public_keys[role][month]
    with pytest.raises(InvalidOptions, match=f"{place} is another key"):
        check_output(Output(str(tmp_path)), 4, ring)


def test_a_month_that_was_destroyed_may_be_gone(tmp_path: Path) -> None:
    ring = ring_of("2026-03", "2026-04")
    begin_output(Output(str(tmp_path)), 4, ring)
    del ring.epochs["2026-03"]
    for role in ("prompts", "completions"):
        del ring.public_keys[role]["2026-03"]
    ring.destroyed.append("2026-03")
    check_output(Output(str(tmp_path)), 4, ring)


def test_the_file_tells_nothing_of_the_keys(tmp_path: Path) -> None:
    ring = ring_of("2026-03")
    begin_output(Output(str(tmp_path)), 4, ring)
    data = (tmp_path / "_output.json").read_text()
    for key in ring.entries.values():
        assert key.hex() not in data
        assert key_text(key) not in data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"version": 2}',
        b'{"version": 2, "buckets": "4", "key_ring": "x"}',
        b'{"version": 3, "key_ring": "x"}',
        b"\x00",
    ],
    ids=str,
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "_output.json").write_bytes(content)
    with pytest.raises(
        StorageUnavailable, match=r"_output.json is damaged.*; bring it back from a backup, or write to a new --output"
    ) as told:
        check_output(Output(str(tmp_path)), 4, ring_of())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("version", [0, 4, 99])
def test_a_version_of_another_program(tmp_path: Path, version: int) -> None:
    facts = {"version": version, "buckets": 4, "key_ring": "x"}
    (tmp_path / "_output.json").write_text(json.dumps(facts))
    with pytest.raises(StorageUnavailable, match=f"is of version {version}; this program reads up to 3"):
        check_output(Output(str(tmp_path)), 4, ring_of())
