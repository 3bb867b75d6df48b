"""Declared properties: each treated by its classification, and nothing kept that is free text."""

from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.manifests import KEEP, ORGANIZATION, PERSON, SCRUB
from transforms.core.carried import DECLARED
from transforms.core.protecting.properties import MOST_KEPT_CHARS, MOST_SCRUBBED_CHARS, land_properties

MAP = pa.map_(pa.string(), pa.string())
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def landed(*rows: dict[str, dict[str, str]]) -> tuple[list, list[int], Counter, Counter]:
    """Properties of each row, given by treatment; spans lost, what was scrubbed and what was not known."""
    columns = {c: pa.array([list(row.get(t, {}).items()) for row in rows], MAP) for t, c in DECLARED.items()}
    columns["received_at"] = pa.array([NOON] * len(rows), pa.timestamp("us", "UTC"))
    scrubbed, unknown = Counter[str](), Counter[str]()

    def pseudonyms(domain: str, values: pa.Array, times: pa.Array) -> pa.Array:
        assert len(values) == len(times)
        return pa.array([f"{domain}:{len(text)}" for text in values.to_pylist()])

    spans = land_properties(columns, scrubbed, unknown, pseudonyms)
    assert {*columns} == {"received_at", "properties"}
    return columns["properties"].to_pylist(), spans.tolist(), scrubbed, unknown


def test_each_treatment_does_its_own_and_rows_stay_apart() -> None:
    found, spans, scrubbed, unknown = landed(
        {KEEP: {"b": "eu", "a": "x@example.com"}, PERSON: {"c": "bob"}, ORGANIZATION: {"d": "contoso"}},
        {},
        {SCRUB: {"e": "at /home/bob/x.ts"}, KEEP: {"a": "2"}},
    )
    assert found == [
        [("a", "<REDACTED:email>"), ("b", "eu"), ("c", "property:3"), ("d", "organization:7")],
        None,
        [("a", "2"), ("e", "at <REDACTED:path>")],
    ]
    assert spans == [1, 0, 1]
    assert (scrubbed, unknown) == ({"email": 1, "path": 1}, {})


@pytest.mark.parametrize("text", ["x" * (MOST_KEPT_CHARS + 1), "two\nlines", "nul\0", "\x1b[2J"])
def test_a_kept_text_that_is_no_word_lands_as_other(text: str) -> None:
    found, _, _, unknown = landed({KEEP: {"a": text, "b": "x" * MOST_KEPT_CHARS}})
    assert found == [[("a", "other"), ("b", "x" * MOST_KEPT_CHARS)]]
    assert unknown == {"properties": 1}


def test_a_scrubbed_text_is_cut_after_it_was_scrubbed() -> None:
    found, _, scrubbed, _ = landed({SCRUB: {"a": "x " * (MOST_SCRUBBED_CHARS // 2 - 5) + "mail bob@example.com"}})
    ((_, text),) = found[0]
    assert len(text) == MOST_SCRUBBED_CHARS
    assert "bob" not in text
    assert scrubbed == {"email": 1}


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=200)), max_size=6))
def test_whatever_is_kept_is_short_and_one_line(rows: list[dict[str, str]]) -> None:
    found, _, _, _ = landed(*({KEEP: row} for row in rows))
    for row, properties in zip(rows, found, strict=True):
        assert [key for key, _ in properties or []] == sorted(row)
        assert all(len(text) <= MOST_KEPT_CHARS and "\n" not in text for _, text in properties or [])
