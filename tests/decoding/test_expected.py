"""What a refusal says: of every field what it must be, and of each row its first wrong field."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry import EVENT_DATASETS, load
from transforms.core.decoding.convert import convert
from transforms.core.decoding.expected import WrongValues, expected_of, months_of
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of

SCHEMA = load("displays")
NAMES = [f.name for f in SCHEMA.fields]


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
def test_each_field_says_what_it_must_be_with_its_unit(dataset: str) -> None:
    for field in load(dataset).fields:
        text = expected_of(field)
        assert text
        if field.unit and (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            assert text.endswith(f"unit {field.unit}")


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64()])
def test_the_range_that_is_told_is_the_one_that_lands(kind: pa.DataType) -> None:
    field = next(f for name in EVENT_DATASETS for f in load(name).fields if f.type == kind and f.sources)
    ends = [int(word.strip(",")) for word in expected_of(field).split() if word.strip("-,").isdigit()]
    texts = pa.array([str(n) for end in ends for n in (end - 1, end, end + 1)])
    assert convert(field, texts).is_valid().to_pylist() == [False, True, True, True, True, False]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.lists(st.booleans(), min_size=4, max_size=4)), max_size=6))
def test_a_row_keeps_its_first_mark(marks: list[tuple[str, list[bool]]]) -> None:
    wrong, model = WrongValues(SCHEMA, 4), {}
    for name, rows in marks:
        wrong.mark(name, np.array(rows))
        for row in np.flatnonzero(rows).tolist():
            model.setdefault(row, name)
    assert wrong.rows.tolist() == [row in model for row in range(4)]
    assert {row: wrong.of(row).name for row in model} == model


def test_months_are_those_of_the_ring() -> None:
    ring = KeyRing(bytes(32), bytes(32))
    assert "none" in months_of(step_keys_of(ring).quarantine)
    ring.epochs.update({"2026-11": bytes(32), "2026-02": bytes(32)})
    assert months_of(step_keys_of(ring).quarantine) == "a month of the key ring: 2026-02 to 2026-11"
    ring.destroyed += ["2026-05", "2026-03"]
    assert (
        months_of(step_keys_of(ring).quarantine) == "a month of the key ring: 2026-02 to 2026-11, but 2026-03, 2026-05"
    )
