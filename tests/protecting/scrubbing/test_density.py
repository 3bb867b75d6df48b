"""How often a text may be looked into, and what becomes of one in which more would have to be looked at."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.worst_texts import mixed_pieces, worst_text
from transforms.core.protecting.scrub import CODE, ERRORS, scrub_json, scrub_text
from transforms.core.protecting.scrubbing.density import DENSE, MOST_LOOKS, WINDOW_BYTES, Effort, Heads, Looks
from transforms.core.protecting.scrubbing.spans import Span, compiled

MARK = f"<REDACTED:{DENSE}>"
CROWD = "key=" * 3000
"""12 KB in which nothing is found, and everything has to be looked at."""


def scrubbed(text: str) -> tuple[str, Counter[str]]:
    counts: Counter[str] = Counter()
    return scrub_text(text, ERRORS, counts), counts


def test_a_crowd_is_hidden_and_counted_and_what_stands_far_from_it_stays() -> None:
    before, after = "def f(x):\n    return x\n" * 300, "\n" + "y = g(x)  # plain\n" * 800
    out, counts = scrubbed(before + CROWD + after)
    assert counts == {DENSE: 1}
    assert out.startswith(before[: -2 * WINDOW_BYTES])
    assert out.endswith(after[3 * WINDOW_BYTES :])
    assert "key=" not in out


SECRETS = (
    "ann@corp.example",
    "ghp_" + "Zq1A" * 9,
    'password = "Tr0ub4dor&3 with more words 1a2b3c"',
    "/home/ann smith/My Documents/tax.py",
    "93.184.216.34",
    "https://ann:hunter2x@host.example/x",
    "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 300 + "-----END PRIVATE KEY-----",
)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda s: s[:12])
@pytest.mark.parametrize("shift", [0, 1, 3, 7, 500, 2048, 4090])
def test_nothing_of_a_secret_is_left_wherever_it_lies_in_a_crowd(secret: str, shift: int) -> None:
    """Its head may be in a window that is not looked into, and its end in one that is."""
    for size in (WINDOW_BYTES, 3 * WINDOW_BYTES):
        crowd = (CROWD * 2)[: size + shift]
        for text in (f"{crowd} {secret}\nend", f"{crowd} {secret} {crowd}", f"x {secret} {crowd}"):
            out, _ = scrubbed(text)
            assert not [
                p
                for p in ("Tr0ub", "words", "1a2b3c", "corp.ex", "Zq1A", "smith", "tax", "216.34", "hunter", "MIIE")
                if p in out
            ]


def test_ordinary_text_of_the_most_looks_stays() -> None:
    """One look every 12 bytes; one in 11 is too many."""
    line = "a.b/c key=1\n"
    assert len(line) == 12
    text = line * (16 * WINDOW_BYTES // 12)
    found = Counter[str]()
    out = scrub_text("x = /tmp\n" + "plain words\n" * 5000, CODE, found)
    assert found == {}
    assert MARK not in out
    assert DENSE in scrubbed(text.replace("key=1", "key=key=1"))[1]


@given(st.integers(0, 3 * WINDOW_BYTES), st.integers(1, 40), st.integers(1, 900))
def test_the_count_of_looks_against_a_slow_one(begin: int, step: int, count: int) -> None:
    """Heads at known places: each window gives its first MOST_LOOKS, and is hidden where it had more."""
    size = begin + step * count + 1
    text = bytearray(b"." * size)
    for n in range(count):
        text[begin + n * step] = ord("@")
    looks = Looks(size, Effort(10**9))
    found = [start for start, _ in Heads(compiled("@"), bytes(text), looks)]
    expected, counts = [], Counter[int]()
    for at in range(begin, begin + step * count, step):
        counts[at // WINDOW_BYTES] += 1
        if counts[at // WINDOW_BYTES] <= MOST_LOOKS:
            expected.append(at)
    assert found == expected
    dense = {window for window, n in counts.items() if n > MOST_LOOKS}
    hidden = list(looks.hidden(bytes(text)))
    assert len(hidden) == len(dense)
    for span in hidden:
        assert any(span.start <= w * WINDOW_BYTES and min(size, (w + 1) * WINDOW_BYTES) <= span.end for w in dense)


def test_heads_that_were_passed_over_cost_nothing() -> None:
    looks = Looks(3000, Effort(10**9))
    heads = Heads(compiled("@"), b"@" * 3000, looks)
    for start, _ in heads:
        heads.pass_over(start + 1000)
    assert looks.allows(0)
    assert list(looks.hidden(b"@" * 3000)) == []
    assert sum(looks.allows(0) for _ in range(2 * MOST_LOOKS)) == MOST_LOOKS - 4


def test_a_text_that_would_be_read_too_often_is_hidden_as_a_whole() -> None:
    """71 CPU seconds a MB, before there was an end to it."""
    for piece in mixed_pieces():
        out, counts = scrubbed(worst_text(piece, 1 << 16))
        assert counts[DENSE] > 0
        assert len(out) < 1 << 16
        assert scrubbed(out)[0] == out


def test_json_of_a_crowd_is_json_and_keeps_its_numbers() -> None:
    plain = ["word"] * 2000
    document = {"a": [1, {"b": ["key=" * 2000, 2.5, None]}, "k", *plain], "n": 10**30}
    counts: Counter[str] = Counter()
    kept = json.loads(scrub_json(json.dumps(document), CODE, counts))
    assert counts[DENSE] > 0
    assert kept["n"] == 10**30
    flat = json.dumps(kept)
    assert "key=" not in flat
    assert "2.5" in flat


@given(
    st.lists(
        st.sampled_from(["key=", "a@", "\n", " ", "pass:", "'", "password='", "/a", "%40", "\u200b", "王"]), max_size=60
    ),
    st.integers(1, 400),
)
def test_scrubbing_a_crowd_twice_changes_nothing_more(parts: list[str], times: int) -> None:
    text = "".join(parts) * times
    once, _ = scrubbed(text[:20_000])
    assert scrubbed(once)[0] == once


def test_effort_grows_with_the_text_and_is_spent_by_looks() -> None:
    small, large = Effort(0), Effort(1 << 20)
    assert large.left - small.left == int(256 * 1.25 * MOST_LOOKS)
    looks = Looks(10, small)
    while looks.allows(0) or not looks.is_spent:
        looks.read(0, 512)
    assert small.is_spent
    assert list(looks.hidden(b"x" * 10)) == [Span(0, 10, DENSE)]


def test_a_value_some_lines_below_its_name_goes_with_the_window_of_the_name() -> None:
    for short in range(8, 20):
        crowd = CROWD[: WINDOW_BYTES - short]
        assert "Tr0ub4dor" not in scrubbed(f"{crowd}\npassword =\n\n\n  'Tr0ub4dor&3'\nend")[0], short


def test_a_name_before_a_window_goes_with_what_makes_it_an_address() -> None:
    """Credentials of URLs are looked for first: they use up the window at whose beginning the `@` stands."""
    for before in range(1, 20):
        start = "x" * (WINDOW_BYTES - before - 1) + " "
        text = start + "zofia.kowalska.wroc"[:before] + "@corp.example " + "://" * 1300
        out, counts = scrubbed(text)
        assert counts[DENSE] == 1
        assert "zof"[:before] not in out[WINDOW_BYTES - 40 :], before
        assert "corp" not in out


@pytest.mark.parametrize("crowd", ["phx_", "://", "a@", "key="])
def test_a_private_key_that_begins_in_a_crowd_goes_to_its_end(crowd: str) -> None:
    """Its lines reach over many windows; so keys are looked for before anything can use a window up."""
    secret = SECRETS[-1]
    for at in (500, 2000, 3900, 4080):
        text = crowd * 2000
        out, _ = scrubbed(f"{text[:at]}\n{secret}\n{text[at : 3 * WINDOW_BYTES]}\n{'plain words' * 900}")
        assert "MIIE" not in out, at


def test_when_the_effort_is_spent_nothing_that_was_not_looked_at_is_left() -> None:
    found = 0
    for piece in mixed_pieces():
        out, _ = scrubbed(worst_text(piece, 1 << 17) + "\n" + "plain words\n" * 2000 + "ann@corp.example")
        assert "corp" not in out
        found += out == MARK
    assert found >= 3
