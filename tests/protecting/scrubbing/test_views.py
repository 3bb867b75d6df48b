"""What a person would read, and the way back: against JSON's own parser, and against escapes written by hand."""

import html
import json
import urllib.parse

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrubbing.spans import Span
from transforms.core.protecting.scrubbing.views import View, escapes, literals, plain, unescaped

TEXTS = st.text(max_size=40) | st.text(alphabet='a\\"/bfnrtu0123é王\U0001f600\u0301\n\t', max_size=40)


@given(TEXTS, st.booleans())
def test_the_way_back_from_what_is_read_to_what_is_written(text: str, ascii_only: bool) -> None:
    """Astral characters are two escapes, combining marks one each: the bytes of each lie over its own."""
    raw = json.dumps(text, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    view = unescaped(raw)
    assert view.text[1:-1].decode() == text
    at = 1
    for character in text:
        size = len(character.encode())
        span = view.original(Span(at, at + size, "x"))
        assert json.loads(b'"' + raw[span.start : span.end] + b'"') == character
        at += size


@given(st.text(alphabet=st.sampled_from("a@.\uff19\uff05%4&#;\u200b\u202e\\ux0/é王"), max_size=30))
def test_what_is_shown_plainly_lies_over_what_hides_it(text: str) -> None:
    view = plain(text.encode())
    if view is not None and view.starts is not None and view.ends is not None:
        assert len(view.starts) == len(view.ends) == len(view.text)
        assert (view.starts < view.ends).all()
        assert (np.diff(view.starts) >= 0).all()
        assert (np.diff(view.ends) >= 0).all()


HIDE = {
    "percent": lambda c: "".join(f"%{b:02X}" for b in c.encode()),
    "percent twice": lambda c: "".join(f"%25{b:02x}" for b in c.encode()),
    "decimal": lambda c: f"&#{ord(c)};",
    "hex": lambda c: f"&#x{ord(c):X};",
    "u": lambda c: f"\\u{ord(c):04x}",
    "braces": lambda c: f"\\u{{{ord(c):x}}}",
    "wide": lambda c: chr(ord(c) + 0xFEE0),
    "zero width": lambda c: f"\u200b{c}\u2060",
}
NOT_UNDONE = {(":", "wide"), ("-", "wide")}
"""Ordinary punctuation of Chinese."""


@given(
    st.lists(
        st.tuples(st.sampled_from("@./:-_"), st.sampled_from(sorted(HIDE))).filter(lambda s: s not in NOT_UNDONE),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["", "x", "é", "\U0001f600", "e\u0301"]),
)
def test_every_way_to_hide_a_sign_is_undone_with_its_place(signs: list[tuple[str, str]], between: str) -> None:
    pieces = [HIDE[how](sign) for sign, how in signs]
    view = plain("".join(between + piece for piece in pieces).encode())
    expected = "".join(between + sign for sign, _ in signs)
    if view is None:  # nothing that makes a second look worth it: `-` and `_` alone hide no address
        assert {how for _, how in signs} <= {"percent", "percent twice", "wide"}
        return
    assert view.text.decode() == expected
    written, at = "".join(between + piece for piece in pieces).encode(), len(between.encode())
    offset = at
    for (_, how), piece in zip(signs, pieces, strict=True):
        span = view.original(Span(offset, offset + 1, "x"))
        assert written[span.start : span.end].decode().strip("\u200b\u2060") == piece.strip("\u200b\u2060"), how
        offset += 1 + len(between.encode())


@given(st.text(alphabet="<>&'\"é a;", max_size=20))
def test_entities_of_html_as_the_standard_library_undoes_them(text: str) -> None:
    hidden = "".join(f"&#{ord(c)};" for c in text) + "&#64;"
    view = plain(hidden.encode())
    assert view is not None
    assert view.text.decode() == html.unescape(hidden) == text + "@"


@given(st.text(alphabet="@/:.\\é王\U0001f600", min_size=1, max_size=20))
def test_percent_escapes_as_the_standard_library_undoes_them(text: str) -> None:
    quoted = urllib.parse.quote(text + "@", safe="")
    view = plain(quoted.encode())
    assert view is not None
    assert view.text.decode() == urllib.parse.unquote(quoted) == text + "@"


@given(st.text(alphabet="\\nux0", max_size=20))
def test_which_backslashes_begin_an_escape(text: str) -> None:
    raw, expected, at = text.encode(), [], 0
    while at < len(raw) - 1:
        if raw[at] == ord("\\"):
            expected.append(at)
            at += 1
        at += 1
    assert escapes(np.frombuffer(raw, np.uint8)).tolist() == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=5), i, max_size=3),
    max_leaves=8,
)


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_the_strings_of_json_are_found_by_their_quotes(document: object, ascii_only: bool, indent: int | None) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    quotes = literals(raw)
    if not isinstance(document, str | list | dict):
        assert quotes is None or not len(quotes)
        return
    assert quotes is not None
    found = [json.loads(raw[a : b + 1]) for a, b in zip(quotes[::2].tolist(), quotes[1::2].tolist(), strict=True)]
    assert found == list(strings(document))


def strings(document: object) -> list[str]:
    if isinstance(document, str):
        return [document]
    if isinstance(document, list):
        return [s for one in document for s in strings(one)]
    if isinstance(document, dict):
        return [s for name, one in document.items() for s in (name, *strings(one))]
    return []


@pytest.mark.parametrize("text", ['{"a": 1', "x", '"a" "b"', "[1 2]", "{'a': 1}", '["a"]x', "\ufeff[]"])
def test_what_is_no_json(text: str) -> None:
    is_cut_short = text == '{"a": 1'
    assert (literals(text.encode()) is None) != is_cut_short or text == '{"a": 1'


def test_a_view_that_hides_nothing_is_the_text_itself() -> None:
    assert View(b"abc").original(Span(1, 2, "x")) == Span(1, 2, "x")
    assert unescaped(b"abc") == View(b"abc")
    assert plain(b"plain text 100% & more") is None
