"""Spans of secrets and personal data in free text and code become `<REDACTED:kind>`.

Clients mark values as trusted, which switches the editor's own scrubbing off;
so nothing is assumed clean. What is found, and what cannot be, is in
docs/scrubbing.md. The time it takes grows linearly with the text.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.core.scrubbing.addresses import EMAIL, IPV4, IPV6, MAC
from transforms.core.scrubbing.assignments import ASSIGNMENTS
from transforms.core.scrubbing.contexts import CONTEXTS
from transforms.core.scrubbing.engine import Detector, Span, merged
from transforms.core.scrubbing.keys import PRIVATE_KEYS
from transforms.core.scrubbing.numbers import CARD, IBAN, PHONE
from transforms.core.scrubbing.paths import PATHS
from transforms.core.scrubbing.tokens import TOKENS
from transforms.core.scrubbing.urls import URL_CREDENTIALS
from transforms.core.scrubbing.views import HIDING, View, literals, plain, unescaped

_REMEMBERED_WORDS = 20_000
_MOST_ROUNDS = 4


@dataclass(frozen=True)
class Scrubber:
    """Detectors; what none of their heads is found in is clean."""

    detectors: tuple[Detector, ...]

    @cached_property
    def prefilter(self) -> list[str]:
        """Patterns for pyarrow's RE2, one of which finds every text with something to look at.

        Several small automata: one of everything grows beyond what RE2 keeps and is five times slower.
        """
        groups: dict[str, list[str]] = defaultdict(list)
        for detector in self.detectors:
            groups[detector.name].append(f"(?:{detector.heads})")
        return [*map("|".join, groups.values()), HIDING]

    def find(self, text: bytes) -> Iterable[Span]:
        """Spans in the text as it stands and as a person would read it; they may overlap."""
        lowered = text.lower()
        for detector in self.detectors:
            yield from detector.find(text, lowered)
        shown = plain(text)
        if shown:
            lowered = shown.text.lower()
            for detector in self.detectors:
                yield from map(shown.original, detector.find(shown.text, lowered))


_ANYWHERE = (
    TOKENS, PRIVATE_KEYS, URL_CREDENTIALS, *CONTEXTS, ASSIGNMENTS, EMAIL, IPV4, IPV6, MAC, CARD, IBAN, PHONE,
)  # fmt: skip
CODE = Scrubber(_ANYWHERE)
"""For code: tokens, keys, credentials, passwords, addresses, numbers of persons."""

ERRORS = Scrubber((*_ANYWHERE, PATHS))
"""For errors: the same, and file paths, of which only what lies in an extension or node module stays."""


def scrub_text(text: str, scrubber: Scrubber, counts: Counter[str]) -> str:
    """The text with each span replaced; counts what was replaced by kind."""
    return _scrubbed(text, scrubber, counts, is_json=False)


def scrub_json(text: str, scrubber: Scrubber, counts: Counter[str]) -> str:
    """JSON text with every string in it scrubbed, still JSON, everything else byte by byte as it was.

    Escapes are undone before looking, so that nothing hides behind them or is
    cut in two. Names are scrubbed as values are, and tell what their values
    are. Text that is no JSON is scrubbed as a whole.
    """
    return _scrubbed(text, scrubber, counts, is_json=True)


def _scrubbed(text: str, scrubber: Scrubber, counts: Counter[str], *, is_json: bool) -> str:
    """Once more where something was replaced: what it touched may look different without it."""
    raw = text.encode("utf-8", "surrogatepass")
    for _ in range(_MOST_ROUNDS):
        view = unescaped(raw) if is_json else View(raw)
        spans = merged(map(view.original, scrubber.find(view.text)))
        if spans and is_json:
            spans = _within_strings(spans, literals(raw))
        if not spans:
            break
        counts.update(span.kind for span in spans)
        raw = _replaced(raw, spans)
    return raw.decode("utf-8", "surrogatepass")


def _within_strings(spans: list[Span], quotes: np.ndarray | None) -> list[Span]:
    """The spans' parts within the strings of JSON: what holds JSON together stays."""
    if quotes is None:
        return spans
    within = []
    for span in spans:
        first, last = np.searchsorted(quotes, (span.start, span.end))
        edges = [span.start, *quotes[first:last].tolist(), span.end]
        for place, (start, end) in enumerate(zip(edges, edges[1:], strict=False)):
            start += place > 0  # noqa: PLW2901 - after the quote
            if (first + place) % 2 and end > start:
                within.append(Span(start, end, span.kind))
    return within


def _replaced(raw: bytes, spans: list[Span]) -> bytes:
    pieces, at = [], 0
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
    matches = (pc.match_substring_regex(values, pattern) for pattern in scrubber.prefilter)
    suspects = pc.indices_nonzero(reduce(pc.or_, matches).fill_null(False))
    if not len(suspects):
        return values, None
    texts = values.to_pylist()
    spans = np.zeros(len(values), dtype=np.int32)
    for row in suspects.to_pylist():
        found: Counter[str] = Counter()
        texts[row] = _scrubbed(texts[row], scrubber, found, is_json=is_json)
        spans[row] = found.total()
        counts.update(found)
    return pa.array(texts, pa.string()), spans


class WordScrubber:
    """Scrubs columns of few distinct values, looking at each distinct one once in a worker's life.

    A client may put anything where a language or a version belongs, so these
    are scrubbed as well; finding clean words clean again costs next to nothing.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._known: dict[str, tuple[str, Counter[str]]] = {}

    def scrub(self, words: pa.Array, counts: Counter[str]) -> tuple[pa.Array, np.ndarray | None]:
        """Like `scrub_column`."""
        if words.null_count == len(words):
            return words, None
        coded = words.dictionary_encode()
        found = [self._look_up(word) for word in coded.dictionary.to_pylist()]
        if not any(kinds for _, kinds in found):
            return words, None
        spans = pa.array([kinds.total() for _, kinds in found], pa.int32()).take(coded.indices)
        rows = np.bincount(coded.indices.drop_null().to_numpy(), minlength=len(found))
        for (_, kinds), times in zip(found, rows.tolist(), strict=True):
            counts.update({kind: count * times for kind, count in kinds.items()})
        return pa.array([text for text, _ in found], pa.string()).take(coded.indices), spans.fill_null(0).to_numpy()

    def _look_up(self, word: str) -> tuple[str, Counter[str]]:
        if word not in self._known:
            if len(self._known) >= _REMEMBERED_WORDS:
                self._known.clear()
            kinds: Counter[str] = Counter()
            self._known[word] = (scrub_text(word, self._scrubber, kinds), kinds)
        return self._known[word]
