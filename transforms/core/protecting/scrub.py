"""Spans of secrets and personal data in free text and code become `<REDACTED:kind>`.

Clients mark values as trusted, which switches the editor's own scrubbing off;
so nothing is assumed clean. What is found, and what cannot be, is in
docs/scrubbing.md. The time it takes grows linearly with the text.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.protecting.scrubbing.addresses import EMAIL, IPV4, IPV6, MAC
from transforms.core.protecting.scrubbing.assignments import ASSIGNMENTS
from transforms.core.protecting.scrubbing.contexts import CONTEXTS
from transforms.core.protecting.scrubbing.cookies import COOKIES
from transforms.core.protecting.scrubbing.density import DENSE, Effort, Looks
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.keys import PRIVATE_KEYS
from transforms.core.protecting.scrubbing.numbers import CARD, IBAN, PHONE
from transforms.core.protecting.scrubbing.paths import PATHS
from transforms.core.protecting.scrubbing.spans import Span, merged
from transforms.core.protecting.scrubbing.tokens import TOKENS
from transforms.core.protecting.scrubbing.urls import URL_CREDENTIALS
from transforms.core.protecting.scrubbing.views import HIDING, View, literals, plain, unescaped

_MOST_ROUNDS = 4
_UNDONE_BYTES_A_LOOK = 16
"""To undo an escape, of three bytes or more, takes a fifth of the time of a look."""


@dataclass(frozen=True)
class Scrubber:
    """Detectors in groups. A text that holds no head of any of them is clean."""

    groups: tuple[tuple[Detector, ...], ...]

    @cached_property
    def detectors(self) -> tuple[Detector, ...]:
        """All of them."""
        return tuple(chain.from_iterable(self.groups))

    @cached_property
    def prefilter(self) -> list[str]:
        """An RE2 pattern for each group that finds every text its detectors must look at; then `HIDING`.

        Each group has its own automaton: one for everything grows beyond what RE2 keeps, and is five times slower.
        """
        return [*("|".join(f"(?:{detector.heads})" for detector in group) for group in self.groups), HIDING]

    def suspects(self, texts: pa.Array) -> np.ndarray:
        """Which of the prefilter's patterns (first axis) are in which text (second) of a binary column."""
        found = (pc.match_substring_regex(texts, pattern).fill_null(False) for pattern in self.prefilter)
        return np.stack([mask.to_numpy(zero_copy_only=False) for mask in found])

    def find(self, text: bytes, effort: Effort, suspected: np.ndarray | None = None) -> list[Span]:
        """Spans in the text as it stands and as a person would read it; they may overlap.

        `suspected` is the text's own column of `suspects`; None looks for everything.
        """
        groups = self.groups if suspected is None else compress(self.groups, suspected)
        found = _found(text, chain.from_iterable(groups), effort)
        shown = plain(text) if suspected is None or suspected[-1] else None
        if shown:
            effort.left -= (len(text) - len(shown.text)) // _UNDONE_BYTES_A_LOOK
            found += map(shown.original, _found(shown.text, self.detectors, effort))
        return found


def _found(text: bytes, detectors: Iterable[Detector], effort: Effort) -> list[Span]:
    """One pass over a text: what the detectors find, and where they would have had to look too often."""
    lowered, looks = text.lower(), Looks(len(text), effort)
    found = [span for detector in detectors for span in detector.find(text, lowered, looks)]
    return [*found, *looks.hidden(text)]


_HALF = (len(CONTEXTS) + 1) // 2
_ANYWHERE = (
    (PRIVATE_KEYS, URL_CREDENTIALS, EMAIL),
    (TOKENS,),
    tuple(CONTEXTS[:_HALF]),
    (*CONTEXTS[_HALF:], COOKIES),
    (ASSIGNMENTS,),
    (IPV4, IPV6, MAC, CARD, IBAN, PHONE),
)
CODE = Scrubber(_ANYWHERE)
"""For code: tokens, keys, credentials, passwords, addresses, numbers of persons."""

ERRORS = Scrubber((*_ANYWHERE, (PATHS,)))
"""For errors: the same, and file paths, of which only what lies in an extension or node module stays."""


def scrub_text(text: str, scrubber: Scrubber, counts: Counter[str]) -> str:
    """The text with each span replaced; counts what was replaced by kind."""
    return _scrubbed(text.encode("utf-8", "surrogatepass"), scrubber, counts).decode("utf-8", "surrogatepass")


def scrub_json(text: str, scrubber: Scrubber, counts: Counter[str]) -> str:
    """JSON text with every string in it scrubbed, still JSON, everything else byte by byte as it was.

    Escapes are undone before looking, so that nothing hides behind them or is
    cut in two. Names are scrubbed as values are, and tell what their values
    are. Text that is no JSON is scrubbed as a whole.
    """
    raw = text.encode("utf-8", "surrogatepass")
    return _scrubbed(raw, scrubber, counts, unescaped(raw)).decode("utf-8", "surrogatepass")


def _scrubbed(
    raw: bytes,
    scrubber: Scrubber,
    counts: Counter[str],
    json_view: View | None = None,
    suspected: np.ndarray | None = None,
) -> bytes:
    """Scrubs again after something was replaced, because the text around it may look different then."""
    effort = Effort(len(raw))
    for turn in range(_MOST_ROUNDS):
        view = json_view or View(raw)
        found = scrubber.find(view.text, effort, suspected)
        is_hidden = effort.is_spent or (bool(found) and turn == _MOST_ROUNDS - 1)
        spans = [Span(0, len(raw), DENSE)] if is_hidden else merged(map(view.original, found))
        if spans and json_view:
            spans = _within_strings(spans, literals(raw))
        counts.update(span.kind for span in spans)
        raw = _replaced(raw, spans)
        if is_hidden or not spans:
            break
        json_view, suspected = unescaped(raw) if json_view else None, None
    return raw


def _within_strings(spans: list[Span], quotes: np.ndarray | None) -> list[Span]:
    """The spans' parts within the strings of JSON: what holds JSON together stays."""
    if quotes is None:
        return spans
    within = []
    for span in spans:
        first, last = np.searchsorted(quotes, (span.start, span.end))
        edges = [span.start - 1, *quotes[first:last].tolist(), span.end]
        for place, (quote, end) in enumerate(pairwise(edges)):
            if (first + place) % 2 and end > quote + 1:
                within.append(Span(quote + 1, end, span.kind))
    return within


def _replaced(raw: bytes, spans: list[Span]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for span in spans:
        pieces += (raw[at : span.start], f"<REDACTED:{span.kind}>".encode())
        at = span.end
    return b"".join([*pieces, raw[at:]])


def scrub_column(
    values: pa.Array, scrubber: Scrubber, counts: Counter[str], *, is_json: bool = False
) -> tuple[pa.Array, np.ndarray | None]:
    """The column scrubbed, and how many spans each row lost (None: none did anywhere)."""
    if values.null_count == len(values):
        return values, None
    raw = values.cast(pa.binary())
    shown = pa.array([text and unescaped(text).text for text in raw.to_pylist()], pa.binary()) if is_json else raw
    suspects = scrubber.suspects(shown)
    rows = np.flatnonzero(suspects.any(axis=0)).tolist()
    if not rows:
        return values, None
    texts = raw.to_pylist()
    spans = np.zeros(len(values), dtype=np.int32)
    for row in rows:
        found: Counter[str] = Counter()
        view = unescaped(texts[row]) if is_json else None
        texts[row] = _scrubbed(texts[row], scrubber, found, view, suspects[:, row])
        spans[row] = found.total()
        counts.update(found)
    if not spans.any():
        return values, None
    return pa.array(texts, pa.binary()).cast(pa.string()), spans
