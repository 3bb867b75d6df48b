"""Consent: the lowest of several stamps wins in any order, and no bytes are kept that it does not cover."""

import gzip
import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import LEVELS, PERMITTED
from tests.conftest import sample
from transforms.core.consent import Collector, lowest, may_keep_body, rank_of

LEVEL_WORDS = st.sampled_from([*PERMITTED, "ALL", "everything", "", None])
STAMPS = st.builds(
    Collector,
    st.sampled_from(["2026-03-29T10:00:00Z", "noon", None]),
    st.sampled_from(["8.8.8.8", None]),
    LEVEL_WORDS,
    st.sampled_from([True, False, None]),
)
CODE = json.dumps(sample("snippets/pass/engine.completion")).encode()
NO_CODE = json.dumps(sample()).encode()


@given(st.lists(STAMPS, min_size=1, max_size=4))
def test_no_stamp_of_several_is_lower_than_the_one_that_counts(stamps: list[Collector]) -> None:
    for order in permutations(stamps):
        found = lowest(order)
        assert rank_of(found) == min(map(rank_of, stamps))
        assert bool(found.snippet_consent) == all(stamp.snippet_consent for stamp in stamps)
        assert (found.received_at, found.client_ip) == (order[-1].received_at, order[-1].client_ip)


def test_ranks_are_places_in_the_levels() -> None:
    assert [LEVELS[rank_of(Collector(telemetry_level=word))] for word in PERMITTED] == [
        "off",
        "crash",
        "error",
        "usage",
    ]
    assert {rank_of(Collector(telemetry_level=word)) for word in ("ALL", "all ", "everything", "", None)} == {0}


@given(st.none() | STAMPS, st.sampled_from([CODE, NO_CODE, b"", b"\x00code", gzip.compress(CODE)]), st.booleans())
def test_bytes_are_kept_only_with_consent_to_all_that_may_be_in_them(
    stamp: Collector | None, line: bytes, is_json: bool
) -> None:
    kept = may_keep_body(line, stamp, is_json=is_json)
    if stamp is None or stamp.telemetry_level != "all":
        assert not kept
    elif stamp.snippet_consent is not True:
        assert kept == (is_json and line in (NO_CODE, b"", b"\x00code"))
    else:
        assert kept


NO_SNIPPETS = Collector(telemetry_level="all", snippet_consent=False)


@pytest.mark.parametrize("escape", ["completionTextJso\\u006e", "\\u0063ompletionTextJson", "prompt\\u004ason"])
def test_a_name_of_code_that_is_written_with_escapes_hides_code(escape: str) -> None:
    assert not may_keep_body(b'{"properties": {"%b": "x = 1"}}' % escape.encode(), NO_SNIPPETS, is_json=True)


@pytest.mark.parametrize("text", [b'{"a": "\\u00e9"}', b'{"a": "\\ud83d\\ude00"}', b'{"a": "\\n\\\\"}'])
def test_other_escapes_hide_nothing(text: bytes) -> None:
    assert may_keep_body(text, NO_SNIPPETS, is_json=True)
