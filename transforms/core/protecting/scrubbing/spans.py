"""What goes from a text, and the patterns that find it.

RE2 reads a text once, whatever the text; Python's `re` may go back without end.
All patterns see UTF-8 bytes as Latin-1, so that offsets need no counting, a
letter outside ASCII is one or more bytes of `HIGH`, and a negated class takes
a character whole.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import re2

HIGH = r"\x80-\xff"
_MAX_MEMORY_BYTES = 64 << 20


class Span(NamedTuple):
    """Bytes `start` to `end` of a text that go; a span that begins first or is longer swallows others."""

    start: int
    end: int
    kind: str


@cache  # the heads of tokens, a long pattern, are asked for by two
def compiled(pattern: str, *, captures: bool = False, longest: bool = False) -> "re2._Regexp":
    """An RE2 pattern over bytes; without captures it never leaves the fast automaton."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = not captures
    options.longest_match = longest
    options.max_mem = _MAX_MEMORY_BYTES
    options.log_errors = False
    return re2.compile(pattern.encode("latin-1"), options)


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
