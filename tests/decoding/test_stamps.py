"""Stamps of damaged lines: what counts was read whole, and nothing that is found makes the level higher."""

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import PERMITTED
from transforms.core.consent import Collector, rank_of
from transforms.core.decoding.stamps import STAMP_TYPES, Stamp, settled, stamp_of

ALL = {"received_at": "2026-03-29T10:15:33Z", "client_ip": "8.8.8.8", "telemetry_level": "all", "snippet_consent": True}
WHOLE = Stamp(Collector(**ALL))
JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=1)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "received_at": st.just(ALL["received_at"]) | JUNK,
        "client_ip": st.just("8.8.8.8") | JUNK,
        "telemetry_level": st.sampled_from([*PERMITTED, "everything"]) | JUNK,
        "snippet_consent": st.booleans() | JUNK,
        "another": JUNK,
    },
)
VALUES = MEMBERS | JUNK


@given(st.lists(VALUES, max_size=4))
def test_the_lowest_wins_in_any_order(values: list[Any]) -> None:
    alone = [settled([value]) for value in values]
    for order in permutations(values):
        together = settled(order)
        assert rank_of(together.collector) == min((rank_of(s.collector) for s in alone), default=0)
        assert (together.wrong is None) == all(s.wrong is None for s in alone)
        assert together.wrong is None or together.wrong in STAMP_TYPES
        if len(values) > 1:
            assert bool(together.collector.snippet_consent) == all(s.collector.snippet_consent for s in alone)


@given(VALUES)
def test_only_members_of_the_right_type_are_kept(value: Any) -> None:
    stamp = settled([value])
    found = value if isinstance(value, dict) else {}
    for name in Collector.__struct_fields__:
        kind = bool if name == "snippet_consent" else str
        expected = found.get(name)
        assert getattr(stamp.collector, name) == (expected if isinstance(expected, kind) else None)


@given(VALUES, st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True), st.booleans())
def test_a_stamp_is_found_wherever_it_stands_in_a_line(value: Any, others: list[str], is_first: bool) -> None:
    rest = {name: {"collector": ALL} for name in others}
    document = {"collector": value, **rest} if is_first else {**rest, "collector": value}
    assert stamp_of(json.dumps(document).encode()) == settled([value])


@given(st.integers(0, 400))
def test_a_line_that_was_cut_never_has_a_stamp_that_the_whole_one_had_not(cut: int) -> None:
    line = json.dumps({"ver": 1, "data": {"a": 'x, "b": {}'}, "collector": ALL, "more": ["text", {"n": 1}]}).encode()
    found = stamp_of(line[:cut])
    assert found in (None, WHOLE)
    if cut < line.index(b"true}") + len(b"true}"):
        assert found is None, "the stamp itself was not whole"


def test_damage_behind_the_stamp_leaves_it_whole() -> None:
    line = b'{"ver": 1, "collector": ' + json.dumps(ALL).encode() + b', "data": NaN, "x'
    assert stamp_of(line) == WHOLE


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"7", b'"collector"', b'[{"collector": {"telemetry_level": "all"}}]',
     b'{"a": "\\"collector\\": {}', b'{"a": {"collector": {"telemetry_level": "all"}}',
     b'{"a": NaN, "collector": {"telemetry_level": "all"}, ', b'{"collector" {"telemetry_level": "all"}, ',
     b'{"collector": {"telemetry_level": "all", "telemetry_level": ', b'{"c\\u006fllector": {"telemetry_level": "off"}, "collector": {"telemetry_level": "all"}, ',
     b'{"collector": {"telemetry_level": "all"}, "x": {"collector": {"telemetry_level": "off"',
     b'"collector": {"telemetry_level": "all"}}'],
)  # fmt: skip
def test_what_could_hide_another_stamp_is_none(line: bytes) -> None:
    found = stamp_of(line)
    assert found is None


def test_json_without_a_stamp_has_an_empty_one() -> None:
    assert stamp_of(b'{"data": {"collector": {"telemetry_level": "all"}}}') == Stamp(Collector())
    assert stamp_of(b'{"collector": null}') == Stamp(Collector())
