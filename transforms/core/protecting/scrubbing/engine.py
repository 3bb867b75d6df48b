"""What every detector is made of: a pattern that finds where to look, and code that decides on a bounded window."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.core.protecting.scrubbing.density import Heads, Looks
from transforms.core.protecting.scrubbing.spans import Span, compiled

if TYPE_CHECKING:
    from re2 import _Regexp

Look = Callable[[bytes, Heads], Iterable[Span]]
"""Spans of a text, in any order, from the places at which a detector's heads were found."""

_ALPHANUMERIC = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_HEX = frozenset(b"0123456789ABCDEFabcdef")


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
    look: Look
    _pattern: "_Regexp"
    needs: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, name: str, heads: str, look: Look, *needs: bytes) -> "Detector":
        """A detector with its heads compiled."""
        return cls(name, heads, look, compiled(heads), needs)

    def find(self, text: bytes, lowered: bytes, looks: Looks) -> Iterable[Span]:
        """Spans in the text, in any order; `lowered` is the text in small letters."""
        if self.needs and not any(word in lowered for word in self.needs):
            return ()
        return self.look(text, Heads(self._pattern, text, looks))


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
