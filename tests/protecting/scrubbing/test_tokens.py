"""Each rule's own tokens, made from its pattern: found wherever they stand, and not when a letter is glued to them."""

import json
from collections import Counter

import pytest

from tests.conftest import DATA
from transforms.core.protecting.scrub import CODE, scrub_json, scrub_text
from transforms.core.protecting.scrubbing.spans import compiled
from transforms.core.protecting.scrubbing.tokens import Token, tokens

LABELLED = [json.loads(line) for line in (DATA / "cases" / "scrub" / "labelled.jsonl").read_text().splitlines()]
KINDS = {token.kind for token in tokens()}
SAMPLES = {kind: [c["secret"] for c in LABELLED if c["kind"] == kind and c["secret"]][:3] for kind in sorted(KINDS)}
GITHUB = "ghp_" + "Zq1A" * 9


def scrubbed(text: str) -> tuple[str, Counter[str]]:
    counts: Counter[str] = Counter()
    return scrub_text(text, CODE, counts), counts


SYNTAXES = [
    'x = "{}"', "x = '{}'", "x: {}", "- {}", "export X={}", "{}", "f({})", "[{}, 1]", "<a>{}</a>", "# see {}", "// {} //", "x={};", "| {} |",
    "`{}`", "\t{}\n", "é{}é", "\U0001f600{}\U0001f600", "e\u0301 {} e\u0301", "%20{}%20", '{{"a":"{}"}}',
]  # fmt: skip


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_surrounds_a_token_does_not_matter(syntax: str) -> None:
    missed = [
        s
        for kind in SAMPLES
        for s in SAMPLES[kind]
        if "\n" not in s and scrubbed(s)[0] != s and s in scrubbed(syntax.format(s))[0]
    ]
    assert missed == []
    assert scrubbed(syntax.format(GITHUB))[0] == syntax.format("<REDACTED:github_token>")


@pytest.mark.parametrize("token", [t for t in tokens() if t.keywords], ids=lambda t: f"{t.kind} {t.keywords[0]}")
def test_each_keyword_can_begin_its_token(token: Token) -> None:
    """One that cannot would find nothing."""
    assert token.source
    first, last = compiled(token.pattern).possiblematchrange(8)
    for keyword in token.keywords if not token.before else ():
        assert first[: len(keyword)] <= keyword.encode()[:8] <= last, (keyword, first, last)


def test_each_rule_has_a_keyword_or_a_head() -> None:
    assert [token for token in tokens() if bool(token.keywords) == bool(token.head)] == []


@pytest.mark.parametrize("piece", ["ABSK", "EAAE", "JQQJ99"])
@pytest.mark.parametrize("count", [30, 500, 2000])
def test_tokens_that_are_glued_to_each_other_all_go(piece: str, count: int) -> None:
    """After four passes the fifth stayed, because a letter stood before it."""
    out, counts = scrubbed(f"x = '{piece * count}'")
    assert len(out) < 400 + 25 * counts.total()
    assert piece == "JQQJ99" or count > 500 or set(counts) <= {"aws_key", "facebook_token"}, (
        "one by one, not as a crowd"
    )
    assert scrubbed(out)[0] == out


GLUED = [
    GITHUB, "github_pat_" + "Ab1_" * 20, "glpat-" + "x9Yw" * 5, "npm_" + "Ab3d" * 9, "hf_" + "aBcD" * 8 + "e1", "AKIA" + "Q3ZX" * 4,
    "AIza" + "S9y_" * 8 + "abc", "xoxb-" + "12345678-" * 3 + "aBc9" * 5, "sk-ant-api03-" + "Zk_9" * 20, "dop_v1_" + "a1b2" * 16,
]  # fmt: skip


@pytest.mark.parametrize("first", GLUED, ids=lambda token: token[:6])
def test_two_tokens_that_are_glued_together_both_go(first: str) -> None:
    """The first one's letters take the `ghp` of the second, whose body then stayed."""
    for second in GLUED:
        out = scrubbed(f"t = {first}{second}; {first}{second}{first}")[0]
        left = [t[n : n + 8] for t in (first, second) for n in range(len(t) - 7) if t[n : n + 8] in out]
        assert left == [], (second, out)


@pytest.mark.parametrize("before", ["a", "9", "Zz"])
def test_within_a_word_no_token_begins(before: str) -> None:
    assert scrubbed(f"{before}{GITHUB} ")[1]["github_token"] == 0


@pytest.mark.parametrize("cut", range(5, 40, 3))
@pytest.mark.parametrize("join", ["\n", "\n    ", "\\\n", "\r\n  "])
def test_a_token_that_a_line_break_cut_goes_whole(cut: int, join: str) -> None:
    text = f"t = {GITHUB[:cut]}{join}{GITHUB[cut:]} end"
    out, counts = scrubbed(text)
    if cut - 4 >= 4:
        assert out == "t = <REDACTED:github_token> end"
        assert counts == {"github_token": 1}


def test_a_mark_in_the_input_hides_no_secret() -> None:
    """Somebody who knows the marks writes them around, before and into a token."""
    for text in (
        f"<REDACTED:path>{GITHUB}", f"<REDACTED:github_token>{GITHUB}", f"<REDACTED:{GITHUB}>", f"<REDACTED:x {GITHUB}", f"{GITHUB}<REDACTED:path>",
        f"<REDACTED:path>/node_modules/x {GITHUB}", f"password = '<REDACTED:password> {GITHUB}'",
    ):  # fmt: skip
        assert "Zq1A" not in scrubbed(text)[0], text
        assert "Zq1A" not in scrub_json(json.dumps([text]), CODE, Counter()), text
