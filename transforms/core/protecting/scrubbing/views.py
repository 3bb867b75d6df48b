"""Text as a person would read it, with the way back to the bytes as they stand.

`unescaped` undoes JSON's escapes; `plain` undoes what hides an address from a
pattern: percent and HTML escapes, letters of full width, invisible characters.
"""

import html
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from transforms.core.protecting.scrubbing.spans import Span, compiled

_BACKSLASH, _QUOTE, _U = 0x5C, 0x22, 0x75
_SHORT = np.arange(256, dtype=np.uint8)
_SHORT[np.frombuffer(b"bfnrt", np.uint8)] = np.frombuffer(b"\b\f\n\r\t", np.uint8)
_HEX_VALUE = np.full(256, -1, dtype=np.int32)
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _HEX_VALUE[np.frombuffer(_digits, np.uint8)] = range(16)


class View(NamedTuple):
    """`text[i]` stands at `starts[i]` in the original and ends before `ends[i]`; None: each where it is."""

    text: bytes
    starts: np.ndarray | None = None
    ends: np.ndarray | None = None

    def original(self, span: Span) -> Span:
        """The span over the original."""
        if self.starts is None or self.ends is None or span.start >= span.end:
            return span
        return Span(int(self.starts[span.start]), int(self.ends[span.end - 1]), span.kind)


def escapes(raw: np.ndarray) -> np.ndarray:
    """Offsets of the backslashes that begin an escape: of each run of them every second, from the first."""
    at = np.flatnonzero(raw == _BACKSLASH)
    if not len(at):
        return at
    begins = np.concatenate(([True], np.diff(at) != 1))
    place = np.arange(len(at))
    run = place - np.maximum.accumulate(np.where(begins, place, 0))
    starts = at[run % 2 == 0]
    return starts[starts < len(raw) - 1]


def unescaped(text: bytes) -> View:
    r"""JSON text without its escapes; half a surrogate is U+FFFD, `\u` without four hex digits stays."""
    if b"\\" not in text:
        return View(text)
    raw = np.frombuffer(text, np.uint8)
    begin = escapes(raw)
    made, keep = raw.copy(), np.ones(len(raw), dtype=bool)
    ends = np.arange(1, len(raw) + 1, dtype=np.int32)
    starts = ends - 1
    is_long = raw[begin + 1] == _U
    short = begin[~is_long]
    made[short + 1] = _SHORT[raw[short + 1]]
    keep[short] = False
    starts[short + 1] = short
    long = begin[is_long & (begin + 6 <= len(raw))]
    if len(long):
        _put_long(raw, made, keep, starts, ends, long)
    return View(made[keep].tobytes(), starts[keep], ends[keep])


def _put_long(
    raw: np.ndarray, made: np.ndarray, keep: np.ndarray, starts: np.ndarray, ends: np.ndarray, long: np.ndarray
) -> None:
    r"""Writes the UTF-8 of each `\uXXXX`, or of a pair of them, over its first bytes."""
    digits = _HEX_VALUE[raw[long[:, None] + np.arange(2, 6)]]
    whole = (digits >= 0).all(axis=1)
    long, units = long[whole], (digits[whole] << np.array([12, 8, 4, 0])).sum(axis=1)
    high, low = (units >> 10) == 0x36, (units >> 10) == 0x37
    paired = np.zeros(len(long), dtype=bool)
    if len(long) > 1:
        paired[:-1] = high[:-1] & low[1:] & (np.diff(long) == 6)
    second = np.concatenate(([False], paired[:-1])) if len(long) else paired
    points = np.where(high | low, 0xFFFD, units)
    points[paired] = 0x10000 + ((units[paired] - 0xD800) << 10) + (units[np.flatnonzero(paired) + 1] - 0xDC00)
    long, points, sizes = long[~second], points[~second], np.where(paired, 12, 6)[~second]
    for offset in range(12):
        within = long[sizes > offset]
        keep[within + offset] = False
        starts[within + offset] = within
        ends[within + offset] = within + sizes[sizes > offset]
    _put_utf8(made, keep, long, points)


def _put_utf8(made: np.ndarray, keep: np.ndarray, at: np.ndarray, points: np.ndarray) -> None:
    size = 1 + (points > 0x7F) + (points > 0x7FF) + (points > 0xFFFF)
    lead = np.array([0, 0, 0xC0, 0xE0, 0xF0])[size]
    for offset in range(4):
        here = size > offset
        bits = points[here] >> (6 * (size[here] - 1 - offset))
        made[at[here] + offset] = (lead[here] | bits) if offset == 0 else (0x80 | (bits & 0x3F))
        keep[at[here] + offset] = True


def literals(text: bytes) -> np.ndarray | None:
    """Offsets of the quotes of JSON's strings, opening and closing in turn; None where the text is no JSON.

    By its tokens alone, so that depth costs nothing. A last string may lack its
    end: JSON that was cut short is JSON still.
    """
    if not _JSON.fullmatch(text):
        return None
    raw = np.frombuffer(text, np.uint8)
    quotes = raw == _QUOTE
    quotes[escapes(raw) + 1] = False
    return np.flatnonzero(quotes)


_NUMBER_OR_NAME = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null"
_STRING = r"\"(?:[^\"\\\x00-\x1f]|\\.)*\""
_SPACE, _BETWEEN = r"[ \t\r\n]*", r"[\[\]{},:]"
_JSON = compiled(
    rf"{_SPACE}(?:{_STRING}{_SPACE}|[\[{{](?:{_SPACE}{_BETWEEN})*"
    rf"(?:{_SPACE}(?:{_NUMBER_OR_NAME}|{_STRING}){_SPACE}{_BETWEEN}(?:{_SPACE}{_BETWEEN})*)*{_SPACE}"
    rf"(?:\"(?:[^\"\\\x00-\x1f]|\\.)*\\?)?)"
)

_HIDDEN = compiled(
    r"\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xc2\xad|\xcd\x8f|\xe1\xa0\x8e|\xef\xb8[\x80-\x8f]"
    r"|\xef\xbc[\x8e-\x99\xa0-\xba\xbc\x85\xbf]|\xef\xbd[\x81-\x9a\xa1]|\xe3\x80\x82|\xef\xb9[\x92\xab]"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|commat|period|sol|bsol|colon|lowbar|hyphen|amp|quot|lt|gt);?"
    r"|%(?:25)*(?:[2-7][0-9A-Fa-f]|[cdefCDEF][0-9A-Fa-f](?:%(?:25)*[89abAB][0-9A-Fa-f]){1,3})|\\u(?:\{[0-9A-Fa-f]{1,6}\}|[0-9A-Fa-f]{4})|\\x[2-7][0-9A-Fa-f]"
)
HIDING = (
    r"\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xc2\xad|\xcd\x8f|\xe1\xa0\x8e|\xef\xb8[\x80-\x8f]"
    r"|\xef\xbc[\x8e-\x99\xa0-\xba]|\xef\xbd[\x81-\x9a\xa1]|\xe3\x80\x82|&(?:#|commat|period|sol|bsol|colon)"
    r"|%(?:25)*(?:40|2[fFeE]|3[aA]|5[cC])|\\u|\\x"
)
"""What makes a text worth a second look."""

_HIDES = compiled(HIDING)


def plain(text: bytes) -> View | None:
    """The text without what hides characters from patterns; None where there is nothing of the kind."""
    if not _HIDES.search(text):
        return None
    pieces: list[bytes] = []
    begins, ends, sizes = [], [], []
    at = 0
    for match in _HIDDEN.finditer(text):
        begin, end = match.span()
        shown = _shown(text[begin:end])
        pieces += (text[at:begin], shown)
        begins.append(begin)
        ends.append(end)
        sizes.append(len(shown))
        at = end
    if not pieces:
        return None
    pieces.append(text[at:])
    return View(b"".join(pieces), *_way_back(len(text), np.array(begins), np.array(ends), np.array(sizes)))


def _way_back(
    size: int, begins: np.ndarray, ends: np.ndarray, shown_sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each byte that is shown where its own begins and ends; each of an escape's lie over all of the escape."""
    starts = np.arange(size)
    is_hidden = np.zeros(size + 1, dtype=np.int8)
    np.add.at(is_hidden, begins, 1)
    np.add.at(is_hidden, ends, -1)
    kept = starts[np.cumsum(is_hidden[:-1]) == 0]
    shown_starts, shown_ends = np.repeat(begins, shown_sizes), np.repeat(ends, shown_sizes)
    order = np.argsort(np.concatenate((kept, shown_starts)), kind="stable")
    return np.concatenate((kept, shown_starts))[order], np.concatenate((kept + 1, shown_ends))[order]


@lru_cache(maxsize=4096)
def _shown(hidden: bytes) -> bytes:
    """The character that an escape stands for, in UTF-8; nothing for one that is invisible."""
    first = hidden[:1]
    if first == b"%":
        return (
            bytes.fromhex(hidden.replace(b"%25", b"%").replace(b"25", b"").replace(b"%", b"").decode())
            if b"25" in hidden
            else bytes.fromhex(hidden.replace(b"%", b"").decode())
        )
    if first == b"&":
        return html.unescape(hidden.decode()).encode("utf-8", "replace")
    if first == b"\\":
        return chr(min(int(hidden[2:].strip(b"{}"), 16), 0x10FFFF)).encode("utf-8", "replace")
    character = hidden.decode()
    if character in "\u3002\uff61\ufe52\uff0e":  # the full stops of domain names
        return b"."
    return (
        b""
        if unicodedata.category(character) in ("Cf", "Mn") or character == "\u034f"
        else unicodedata.normalize("NFKC", character).encode()
    )
