"""How often detectors may look into a text: where they would look too often, the text is hidden instead.

A look costs up to 25 microseconds, so a text made of nothing but places to look at took 15 CPU seconds a MB. The most
that was seen in 4 KB of ordinary text are 275 looks (a change log in which every line holds two links).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from transforms.core.protecting.scrubbing.spans import Span, compiled

if TYPE_CHECKING:
    from re2 import _Regexp

DENSE = "dense"
"""The kind of what is hidden because too much would have to be looked at."""

WINDOW_BYTES = 4096
MOST_LOOKS = 341
"""In one window, for one pass over the text: one look every 12 bytes."""

_READ_BYTES = 64
"""A value that is read and judged counts as one more look, and a long one as another for each of these."""

_FREE_LOOKS = 4096
_LOOKS_A_WINDOW = 1.25 * MOST_LOOKS
"""For all passes over a text together; ordinary text is read once or twice, a hostile one up to eight times."""

_BEFORE_BYTES = 512
_AFTER_BYTES = 1024
"""How far what was found may reach out of a window: names before it, values after it."""

_WORD_BEFORE = compiled(r"\S+\z")
_REST_OF_WORD = compiled(r"\S*")


class Effort:
    """The looks that are left for all passes over one text."""

    def __init__(self, size_bytes: int) -> None:
        self.left = _FREE_LOOKS + int(size_bytes / WINDOW_BYTES * _LOOKS_A_WINDOW)

    @property
    def is_spent(self) -> bool:
        """Whether the text is to be hidden as a whole."""
        return self.left < 0


class Looks:
    """The looks into each window of a text, in one pass over it."""

    def __init__(self, size_bytes: int, effort: Effort) -> None:
        self._counts = [0] * (size_bytes // WINDOW_BYTES + 1)
        self._dense: set[int] = set()
        self._effort = effort

    def allows(self, offset: int) -> bool:
        """Counts a look at this offset; False where its window, or the text, had its share and is to be hidden."""
        window = offset // WINDOW_BYTES
        self._effort.left -= 1
        if self._counts[window] >= MOST_LOOKS or self._effort.left < 0:
            self._dense.add(window)
            return False
        self._counts[window] += 1
        return True

    @property
    def is_spent(self) -> bool:
        """Whether the text is to be hidden as a whole, so that no more of it need be looked at."""
        return self._effort.is_spent

    def read(self, offset: int, size_bytes: int) -> None:
        """Counts a value that a look at this offset had to read and judge."""
        looks = 1 + size_bytes // _READ_BYTES
        self._counts[offset // WINDOW_BYTES] += looks
        self._effort.left -= looks

    def hidden(self, text: bytes) -> Iterator[Span]:
        """The dense windows, from the beginning of a word to the end of a line: nothing that begins there is cut."""
        for window in sorted(self._dense):
            begin = window * WINDOW_BYTES
            before = _WORD_BEFORE.search(text[max(0, begin - _BEFORE_BYTES) : begin])
            if before is not None:
                begin -= len(before.group())
            yield Span(begin, _end_of_line(text, (window + 1) * WINDOW_BYTES + _AFTER_BYTES), DENSE)


def _end_of_line(text: bytes, at: int) -> int:
    """The end of the line, or of the word where the line is longer than a window."""
    if at >= len(text):
        return len(text)
    end = text.find(b"\n", at, at + WINDOW_BYTES)
    return end if end >= 0 else _REST_OF_WORD.match(text, at).end()


class Heads:
    """Where a detector's heads are, in order, as pairs of start and end; none in what was passed over or is dense."""

    def __init__(self, pattern: "_Regexp", text: bytes, looks: Looks) -> None:
        self._pattern = pattern
        self._text = text
        self._looks = looks
        self._passed = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        allows, at = self._looks.allows, 0
        while at <= len(self._text):
            for match in self._pattern.finditer(self._text, at):
                start, end = match.span()
                if start < self._passed:
                    continue
                if not allows(start):
                    if self._looks.is_spent:
                        return
                    at = (start // WINDOW_BYTES + 1) * WINDOW_BYTES
                    break
                yield start, end
            else:
                return

    def goes_on(self, offset: int) -> bool:
        """Counts one more look, where a head leads on from place to place; False where the window had its share."""
        return self._looks.allows(offset)

    def pass_over(self, end: int) -> None:
        """Heads that begin before this offset are not wanted any more."""
        self._passed = end

    @property
    def passed(self) -> int:
        """Where the last span ended that was passed over; 0 before the first."""
        return self._passed

    def read(self, offset: int, size_bytes: int) -> None:
        """See `Looks.read`."""
        self._looks.read(offset, size_bytes)
