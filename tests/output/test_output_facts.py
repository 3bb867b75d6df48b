"""What an output keeps of its first run on: too many buckets and other keys are refused, and how to go on is said."""

import json
from pathlib import Path

import pytest

from schemas.errors import InvalidOptions, StorageUnavailable
from tests.conftest import DATA
from transforms.core.keys import keyring
from transforms.core.keys.documents import key_text
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.readers import Reader
from transforms.core.output.layout import Output
from transforms.core.output.output_facts import (
    begin_output,
    check_output,
    landing_facts,
    sender_from,
    signer_of,
    slots_of,
)


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


def test_a_new_output_has_ids_of_each_month_and_sender_from_the_first_row_on(tmp_path: Path) -> None:
    output, ring = Output(str(tmp_path)), ring_of("2026-03")
    assert (landing_facts(output), sender_from(output)) == (("", 16), "")
    begin_output(output, 20, ring)
    assert (landing_facts(output), sender_from(output)) == (("", 20), "")
    (tmp_path / "displays" / "received_date=2026-03-31").mkdir(parents=True)
    ring.add_month("2026-04")
    begin_output(output, 4, ring)
    assert (landing_facts(output), sender_from(output)) == (("", 20), "")


@pytest.mark.parametrize(
    ("days", "first_month"),
    [
        ({"displays": ["2026-03-01", "2026-11-30"], "errors": ["2026-12-31"]}, "2027-01"),
        ({"displays": ["2026-01-31"], "quarantine": ["2029-01-01"], "suggestions": ["2026-02-01"]}, "2026-02"),
        ({"quarantine": ["1970-01-01"]}, ""),
        ({}, ""),
    ],
)
def test_what_an_older_version_began_keeps_its_ids_to_the_end_of_its_last_month(
    tmp_path: Path, days: dict[str, list[str]], first_month: str
) -> None:
    output, ring = Output(str(tmp_path)), ring_of("2026-03")
    begin_output(output, 4, ring)
    kept = json.loads((tmp_path / "_output.json").read_text())
    del kept["landing_from"], kept["sender_from"]
    (tmp_path / "_output.json").write_text(json.dumps({**kept, "version": 3}))
    for dataset, found in days.items():
        for day in found:
            (tmp_path / dataset / f"received_date={day}").mkdir(parents=True)
    assert landing_facts(output)[0] > "2099-12", "until a run of this version began, all of them have one key"
    assert sender_from(output) > "2099-12"
    for _ in range(2):
        begin_output(output, 4, ring)
        assert landing_facts(output) == (first_month, 16)
        assert sender_from(output) == first_month
        (tmp_path / "displays" / "received_date=2028-01-01").mkdir(parents=True, exist_ok=True)


def test_what_version_4_began_knows_its_months_and_no_senders_in_them(tmp_path: Path) -> None:
    output, ring = Output(str(tmp_path)), ring_of("2026-03")
    begin_output(output, 4, ring)
    kept = json.loads((tmp_path / "_output.json").read_text())
    del kept["sender_from"]
    (tmp_path / "_output.json").write_text(json.dumps({**kept, "version": 4, "landing_from": "2026-02"}))
    (tmp_path / "displays" / "received_date=2026-03-31").mkdir(parents=True)
    begin_output(output, 4, ring)
    assert (landing_facts(output)[0], sender_from(output)) == ("2026-02", "2026-04")


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
    assert json.loads((tmp_path / "_output.json").read_text())["version"] == 5


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
        ring.public_keys[role][role][month] = ring_of("2026-03").public_keys[role][role][month]
    with pytest.raises(InvalidOptions, match=f"{place} is another key"):
        check_output(Output(str(tmp_path)), 4, ring)


def test_a_month_that_was_destroyed_may_be_gone(tmp_path: Path) -> None:
    ring = ring_of("2026-03", "2026-04")
    begin_output(Output(str(tmp_path)), 4, ring)
    del ring.epochs["2026-03"]
    for role in ("prompts", "completions"):
        del ring.public_keys[role][role]["2026-03"]
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


@pytest.mark.parametrize("version", [0, 6, 99])
def test_a_version_of_another_program(tmp_path: Path, version: int) -> None:
    facts = {"version": version, "buckets": 4, "key_ring": "x"}
    (tmp_path / "_output.json").write_text(json.dumps(facts))
    with pytest.raises(StorageUnavailable, match=f"is of version {version}; this program reads up to 5"):
        check_output(Output(str(tmp_path)), 4, ring_of())


def test_an_older_edition_of_the_ring_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    ring, output = ring_of("2026-03"), Output(str(tmp_path))
    older = keyring.parse(keyring.dumps(ring), "")
    begin_output(output, 4, keyring.next_edition(ring))
    before = (tmp_path / "_output.json").read_bytes()
    for refusing in (lambda: check_output(output, None, older), lambda: begin_output(output, 4, older)):
        with pytest.raises(
            InvalidOptions, match=r"this is edition 1 of the key ring, and .* has seen edition 2; bring"
        ):
            refusing()
    assert (tmp_path / "_output.json").read_bytes() == before
    check_output(output, 4, keyring.next_edition(ring))


def test_a_ring_of_version_1_is_older_than_what_it_was_lifted_to(tmp_path: Path) -> None:
    output, folder = Output(str(tmp_path)), str(DATA / "key_ring_1")
    begin_output(output, 4, keyring.load(folder))
    assert keyring.load(folder).edition == 0
    begin_output(output, 4, keyring.next_edition(keyring.load(folder)))
    with pytest.raises(InvalidOptions, match="this is edition 0 of the key ring"):
        check_output(output, 4, keyring.load(folder))


@pytest.mark.parametrize("state", ["destroyed", "destroying"])
def test_a_destroyed_month_never_comes_back_whatever_edition_a_ring_says(tmp_path: Path, state: str) -> None:
    ring, output = ring_of("2026-03", "2026-04"), Output(str(tmp_path))
    kept = keyring.parse(keyring.dumps(ring), "")
    del ring.epochs["2026-03"]
    getattr(ring, state).append("2026-03")
    if state == "destroyed":
        for named in ring.public_keys.values():
            for keys in named.values():
                keys.pop("2026-03", None)
    begin_output(output, 4, ring)
    kept.edition = 99
    with pytest.raises(InvalidOptions, match=r"the keys of 2026-03 are gone, as .* knows, and this key ring has"):
        check_output(output, 4, kept)


def test_a_reader_who_was_removed_may_have_lost_her_keys_of_later_months_alone(tmp_path: Path) -> None:
    ring, output = ring_of(), Output(str(tmp_path))
    ring.readers["completions"]["alice"] = Reader()
    for month in ("2026-03", "2026-04"):
        ring.add_month(month)
    begin_output(output, 4, ring)
    alice = ring.readers["completions"]["alice"]
    alice.until = "2026-04"
    del alice.public_keys["2026-04"]
    check_output(output, 4, ring)
    del alice.public_keys["2026-03"]
    with pytest.raises(InvalidOptions, match=r"public_keys.completions.alice.2026-03, with which .* is gone"):
        check_output(output, 4, ring)


def test_months_and_readers_come_and_go_and_the_output_goes_along(tmp_path: Path) -> None:
    """Whatever pipelines.keys does to a ring, the next run goes on, and a run with the ring of before does not."""
    ring, output = ring_of("2026-03"), Output(str(tmp_path))
    for change in (
        lambda: ring.add_month("2026-04"),
        lambda: ring.readers["prompts"].update(bob=Reader(since="2026-05")),
        lambda: ring.add_month("2026-05"),
        lambda: ring.destroying.append("2026-03") or ring.epochs.pop("2026-03"),
    ):
        before = keyring.parse(keyring.dumps(ring), "")
        change()
        begin_output(output, 4, keyring.next_edition(ring))
        check_output(output, 4, ring)
        with pytest.raises(InvalidOptions, match="has seen edition"):
            check_output(output, 4, before)


def test_an_older_ring_signs_no_change(tmp_path: Path) -> None:
    ring, output, folder = ring_of("2026-03"), Output(str(tmp_path / "out")), tmp_path / "ring"
    folder.mkdir(mode=0o700)
    (folder / "ring.json").write_bytes(keyring.dumps(ring))
    (folder / "ring.json").chmod(0o600)
    begin_output(output, 4, ring)
    signer = signer_of(output, str(folder))
    assert signer is not None
    assert signer_of(output, None) is None
    begin_output(output, 4, keyring.next_edition(ring))
    with pytest.raises(InvalidOptions, match="this is edition 1 of the key ring"):
        signer_of(output, str(folder))
