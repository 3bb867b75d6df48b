"""What every detector is made of: a pattern that finds where to look, and code that decides on a bounded window.

RE2 reads a text once, whatever the text; Python's `re` may go back without end.
All patterns see UTF-8 bytes as Latin-1, so that offsets need no counting, a
letter outside ASCII is one or more bytes of `HIGH`, and a negated class takes
a character whole.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import re2

HIGH = r"\x80-\xff"
_ALPHANUMERIC = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_HEX = frozenset(b"0123456789ABCDEFabcdef")
_MAX_MEMORY_BYTES = 64 << 20


class Span(NamedTuple):
    """Bytes `start` to `end` of a text that go; a span that begins first or is longer swallows others."""

    start: int
    end: int
    kind: str


def compiled(pattern: str, *, captures: bool = False, longest: bool = False) -> "re2._Regexp":
    """An RE2 pattern over bytes; without captures it never leaves the fast automaton."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = not captures
    options.longest_match = longest
    options.max_mem = _MAX_MEMORY_BYTES
    options.log_errors = False
    return re2.compile(pattern.encode("latin-1"), options)


@dataclass(frozen=True)
class Detector:
    """`heads`, an RE2 pattern of ASCII, says where; `look` says what.

    A text in which no head is found is clean: the heads of all detectors
    together are the prefilter of a column, which therefore misses nothing.
    `needs`, in small letters, stand in every head, one of them at least: a
    search for them costs a twentieth of one for the pattern.
    """

    name: str
    heads: str
    look: Callable[[bytes, Iterator[tuple[int, int]]], Iterable[Span]]
    _pattern: "re2._Regexp"
    needs: tuple[bytes, ...] = ()

    @classmethod
    def of(
        cls, name: str, heads: str, look: Callable[[bytes, Iterator[tuple[int, int]]], Iterable[Span]], *needs: bytes
    ) -> "Detector":
        """A detector with its heads compiled."""
        return cls(name, heads, look, compiled(heads), needs)

    def find(self, text: bytes, lowered: bytes) -> Iterable[Span]:
        """Spans in the text, in any order; `lowered` is the text in small letters."""
        if self.needs and not any(word in lowered for word in self.needs):
            return ()
        return self.look(text, (match.span() for match in self._pattern.finditer(text)))


def begins_word(text: bytes, at: int) -> bool:
    r"""Whether no letter or digit stands before: an escape such as `\n`, `\x20` or `%3D` is none."""
    if at == 0 or text[at - 1] not in _ALPHANUMERIC:
        return True
    before = text[max(0, at - 6) : at]
    if before[-2:-1] == b"\\" and before[-1:] in b"nrtbfv":
        return True
    if before[-3:-2] == b"%" or before[-4:-2] == b"\\x":
        return before[-1] in _HEX and before[-2] in _HEX
    return before[:2] == b"\\u" and all(c in _HEX for c in before[2:])


def ends_word(text: bytes, at: int) -> bool:
    """Whether no letter or digit stands at this offset."""
    return at >= len(text) or text[at] not in _ALPHANUMERIC


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order and apart: spans that overlap become one of the longest's kind.

    Of a URL's credentials and an e-mail address that begins in them, the
    credentials stay: the rest of that "address" is the host.
    """
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda s: (s.start, -s.end, s.kind == "password")):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
            continue
        last = kept[-1]
        if span.kind == "email" and last.kind == "url_credentials":
            continue
        if span.end > last.end:
            longest = max(last, span, key=lambda s: s.end - s.start)
            kept[-1] = Span(last.start, span.end, longest.kind)
    return kept
