"""Words of events (languages, versions, error codes, …): a word that its field does not know lands as `other`.

A client may put anything where a word belongs: a path, a token, a name. So each distinct text is checked once in a
worker's life against the shape that the contract declares for its field.
"""

from collections import Counter

import numpy as np
import pyarrow as pa

from schemas.fields import Field
from schemas.known_values import KnownValues, Vocabulary
from schemas.shapes import OTHER, Landing, landing

_REMEMBERED_WORDS = 20_000
_REMEMBERED_CHARS = 256
"""A longer text is checked each time and not remembered, so that the memory stays within some megabytes."""


class Words:
    """What becomes of the words of each field; remembers those it has seen."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._columns: dict[tuple[object, ...], _Column] = {}
        self._lists: dict[str, KnownValues] = {}

    def pick(self, field: Field, lists: pa.Array) -> pa.Array:
        """Of each list the values that its field knows, in order and with `;` between them; null where it holds none.

        An item of a list is known as a whole or by what stands before its `:`. What is not known is not counted,
        because nearly nothing is.
        """
        if field.known_list not in self._lists:
            self._lists[field.known_list] = self._vocabulary.known(field.known_list)
        known = self._lists[field.known_list]
        if not known.values or lists.null_count == len(lists):
            return pa.nulls(len(lists), pa.string())
        coded = lists.dictionary_encode()
        return pa.array([_picked(known, text) for text in coded.dictionary.to_pylist()], pa.string()).take(
            coded.indices
        )

    def land(self, field: Field, words: pa.Array, unknown: Counter[str]) -> pa.Array:
        """The column as it lands; counts, by the field's name, the values that are none of its known ones."""
        if words.null_count == len(words):
            return words
        key = (field.name, field.shape, field.parse, field.one_of)
        if key not in self._columns:
            self._columns[key] = _Column(landing(field, self._vocabulary), field.otherwise or OTHER)
        landed, count = self._columns[key].land(words)
        if count:
            unknown[field.name] += count
        return landed


def _picked(known: KnownValues, text: str) -> str | None:
    items = map(str.strip, text.split(";"))
    found = {known.landed(item) or known.landed(item.partition(":")[0]) for item in items}
    return ";".join(sorted(filter(None, found))) or None


class _Column:
    def __init__(self, landing: Landing, otherwise: str) -> None:
        self._landing = landing
        self._otherwise = otherwise
        self._known: dict[str, str | None] = {}

    def land(self, words: pa.Array) -> tuple[pa.Array, int]:
        coded = words.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        found = [self._look_up(text) for text in texts]
        if found == texts:
            return words, 0
        count = 0
        if None in found:
            rows = np.bincount(coded.indices.drop_null().to_numpy(), minlength=len(found))
            count = int(rows[[text is None for text in found]].sum())
            found = [self._otherwise if text is None else text for text in found]
        return pa.array(found, pa.string()).take(coded.indices), count

    def _look_up(self, text: str) -> str | None:
        if text in self._known:
            return self._known[text]
        landed = self._landing(text)
        if len(text) <= _REMEMBERED_CHARS:
            if len(self._known) >= _REMEMBERED_WORDS:
                self._known.clear()
            self._known[text] = landed
        return landed
