"""Tokens with a form of their own: one pass finds their keywords, the rule of each looks at a window there.

The rules are data: `schemas/secrets/tokens.toml`.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import re2

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector, begins_word, ends_word
from transforms.core.protecting.scrubbing.spans import Span, compiled
from transforms.core.protecting.scrubbing.values import mixes

if TYPE_CHECKING:
    from re2 import _Regexp

_WRAPPED_BYTES = 400
_FIRST_PIECE_BYTES = 4
_GLUED_BYTES = 64


@dataclass(frozen=True)
class Token:
    """A rule of the table; its columns say what the fields mean."""

    kind: str
    pattern: str
    source: str
    keywords: tuple[str, ...] = ()
    head: str = ""
    before: int = 0
    inside: bool = False
    exact: bool = False
    check: str = ""
    length: int = 0

    @cached_property
    def _compiled(self) -> "_Regexp":
        return compiled(self.pattern, captures="(" in self.pattern.replace("(?", ""))

    def at(self, text: bytes, start: int, end: int, word_at: int = 0) -> Span | None:
        """The token whose keyword stands at `start` to `end`, or None.

        At `word_at`, where another token ended, a word begins whatever stands before.
        """
        if not self.before:
            if not self.inside and start != word_at and not begins_word(text, start):
                return None  # first of all, so that no run is read from each of its bytes
            return self._checked(text, self._compiled.match(text, start), word_at)
        for match in self._compiled.finditer(text, max(0, start - self.before), min(len(text), end + 512)):
            if match.start() > start:
                return None
            if match.end() >= end:
                return self._checked(text, match, word_at)
        return None

    def _checked(self, text: bytes, match: "re2._Match | None", word_at: int) -> Span | None:
        if match is None:
            return None
        start, end = match.span(1) if match.re.groups and match.span(1)[0] >= 0 else match.span()
        if not self.inside and match.start() != word_at and not begins_word(text, match.start()):
            return None
        if self.exact and not (ends_word(text, end) or _finder.begins(text, end)):
            return None
        if self.check == "mixes" and not mixes(text[start:end].partition(b"_")[2] or text[start:end]):
            return None
        return Span(start, end, self.kind)


@lru_cache(maxsize=1)
def tokens() -> tuple[Token, ...]:
    """The table, as the package brings it."""
    table = tomllib.loads((files("schemas") / "secrets" / "tokens.toml").read_text())
    return tuple(Token(**{**row, "keywords": tuple(row.get("keywords", ()))}) for row in table["token"])


class _Finder:
    """Which rules to ask at a head that was found."""

    def __init__(self) -> None:
        by_keyword: dict[str, list[Token]] = defaultdict(list)
        for token in tokens():
            for keyword in token.keywords:
                by_keyword[keyword].append(token)
        longest_first = sorted(by_keyword, key=len, reverse=True)
        self._rules = {
            word.encode(): [rule for k in longest_first if word.startswith(k) for rule in by_keyword[k]]
            for word in by_keyword
        }
        self._headed = [token for token in tokens() if token.head]
        quoted = [re2.escape(word) for word in longest_first]
        self.heads = "|".join([*(token.head for token in self._headed), *quoted])
        self._compiled_heads = compiled(self.heads)

    def look(self, text: bytes, heads: Heads) -> Iterable[Span]:
        for start, end in heads:
            rules = self._rules.get(text[start:end], self._headed)
            if rules[0].before:
                heads.read(start, 0)
            span = next((s for rule in rules if (s := rule.at(text, start, end, heads.passed))), None)
            if span is None or (rules[0].length > span.end - span.start and text[span.end : span.end + 1] in b"\\\r\n"):
                span = _wrapped(text, start, end, rules) or span
            while span:
                yield span
                heads.pass_over(span.end)
                span = self._glued(text, span, heads) if heads.goes_on(span.end) else None

    def begins(self, text: bytes, at: int) -> bool:
        """Whether a token may begin here, whatever stands before."""
        return self._compiled_heads.match(text, at) is not None

    def _glued(self, text: bytes, to: Span, heads: Heads) -> Span | None:
        """The token that begins at the end of another and goes on behind it: `ghp_…` took the `ghp` of the next one."""
        at = max(to.start + 1, to.end - _GLUED_BYTES)
        found = None
        for match in self._compiled_heads.finditer(text, at, min(len(text), to.end + _GLUED_BYTES)):
            start, end = match.span()
            if start >= to.end:
                break
            heads.read(start, 0)  # uncounted, 1 MB of `ABIA` took 5.7 CPU seconds
            rules = [rule for rule in self._rules.get(text[start:end], ()) if not rule.before]
            spans = (span for rule in rules if (span := rule.at(text, start, end, start)) and span.end > to.end)
            found = next(spans, found)
        return found


def _wrapped(text: bytes, start: int, end: int, rules: list[Token]) -> Span | None:
    """A token that a line break, or two of them, cut in pieces."""
    window = text[start : start + _WRAPPED_BYTES]
    lines = window.split(b"\n", 3)[:3]
    if len(lines) < 2 or len(lines[0]) < end - start + _FIRST_PIECE_BYTES or b" " in lines[0]:
        return None
    pieces = [line.strip(b" \t\r\\") for line in lines]
    joined = b"".join(pieces)
    for rule in rules:
        span = None if rule.before else rule.at(joined, 0, end - start)
        if span and span.end > len(pieces[0]):
            left = span.end - len(pieces[0])
            inside = 1 if left <= len(pieces[1]) else 2
            left -= len(pieces[1]) * (inside - 1)
            line_at = sum(len(line) + 1 for line in lines[:inside])
            return Span(start + span.start, start + line_at + lines[inside].find(pieces[inside]) + left, span.kind)
    return None


_finder = _Finder()
TOKENS = Detector.of("tokens", _finder.heads, _finder.look)
