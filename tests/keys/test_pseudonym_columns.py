"""Columns of pseudonyms are those of each text by itself, whatever is remembered, sliced or null."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.keys import pseudonym_columns
from transforms.core.keys.pseudonym_columns import ColumnPseudonymizer, hex_column
from transforms.core.keys.pseudonyms import Pseudonymizer

KEY = b"k" * 32
TEXTS = st.lists(st.none() | st.text(max_size=6), max_size=12)


@given(st.lists(TEXTS, max_size=4), st.booleans(), st.integers(0, 3))
def test_a_column_is_each_text_by_itself(batches: list[list[str | None]], remembers: bool, cut: int) -> None:
    columns, single = ColumnPseudonymizer(KEY, remembers=remembers), Pseudonymizer(KEY)
    for texts in batches:
        whole = pa.array(texts, pa.string())
        made = columns.column(whole.slice(cut))
        assert made.type == pa.binary(16)
        assert made.to_pylist() == [None if t is None else single.of(t) for t in texts[cut:]]
        assert hex_column(made).to_pylist() == [None if t is None else single.of(t).hex() for t in texts[cut:]]


@given(TEXTS, st.integers(0, 5), st.integers(0, 12))
def test_digits_of_a_slice_are_those_of_its_rows(texts: list[str | None], begin: int, length: int) -> None:
    made = ColumnPseudonymizer(KEY, remembers=False).column(pa.array(texts, pa.string()))
    whole = [None if v is None else v.hex() for v in made.to_pylist()]
    part = hex_column(made.slice(begin, length))
    assert part.to_pylist() == whole[begin : begin + length]
    part.validate(full=True)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonym_columns, "_MOST_REMEMBERED", 50)
    columns, single = ColumnPseudonymizer(KEY, remembers=True), Pseudonymizer(KEY)
    for begin in range(0, 400, 20):
        texts = [str(n) for n in range(begin, begin + 40)]
        assert columns.column(pa.array(texts)).to_pylist() == [single.of(t) for t in texts]
        assert columns._known is not None
        assert len(columns._known) <= 50 + 40
