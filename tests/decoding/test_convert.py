"""Conversion: a value lands as itself or not at all, at the borders of every type, and in any company."""

import math
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import Field
from transforms.core.decoding.convert import convert
from transforms.core.times import TIMESTAMP

KINDS = {"int": pa.int32(), "long": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(), "string": pa.string(),
         "time": TIMESTAMP}  # fmt: skip


def field(kind: str) -> Field:
    return Field("x", KINDS[kind], "doc", False, "SystemMetaData", "FeatureInsight", "keep", "usage")


def converted(kind: str, *values: Any) -> list[Any]:
    typed = pa.array(values, pa.string() if any(isinstance(v, str) for v in values) else pa.float64())
    return convert(field(kind), typed).to_pylist()


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", 2.0**31 - 1, 2**31 - 1),
        ("int", 2.0**31, None),
        ("int", -(2.0**31), -(2**31)),
        ("int", -(2.0**31) - 1, None),
        ("int", 1.5, None),
        ("int", math.nan, None),
        ("int", math.inf, None),
        ("int", "7", 7),
        ("int", "2147483648", None),
        ("int", "7.0", None),
        ("int", "seven", None),
        ("int", "", None),
        ("long", 2.0**53, 2**53),
        ("long", 2.0**63, None),
        ("long", -(2.0**63), -(2**63)),
        ("long", "9223372036854775807", 2**63 - 1),
        ("long", "9223372036854775808", None),
        ("double", "1e308", 1e308),
        ("double", "x", None),
        ("boolean", 0.0, False),
        ("boolean", -0.0, False),
        ("boolean", 1.0, True),
        ("boolean", 0.5, None),
        ("boolean", math.nan, None),
        ("boolean", "TRUE", True),
        ("boolean", "1.0", True),
        ("boolean", "0", False),
        ("boolean", "yes", None),
        ("boolean", "tr\u00fce", None),
        ("string", 1.0, "1"),
        ("string", "1.0", "1.0"),
        ("time", 0.0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("time", -0.25, datetime(1969, 12, 31, 23, 59, 59, 750000, UTC)),
        ("time", -62_135_596_800.0, datetime(1, 1, 1, tzinfo=UTC)),
        ("time", -62_135_596_801.0, None),
        ("time", 253_402_300_799.0, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("time", 253_402_300_800.0, None),
        ("time", math.nextafter(253_402_300_800.0, 0), datetime(9999, 12, 31, 23, 59, 59, 999968, UTC)),
        ("time", 1_774_779_332_104.0, None),  # milliseconds
        ("time", math.nan, None),
        ("time", -math.inf, None),
        ("time", "2026-03-29T10:15:33Z", datetime(2026, 3, 29, 10, 15, 33, tzinfo=UTC)),
        ("time", "1774779332", None),
    ],
)
def test_borders(kind: str, value: Any, expected: Any) -> None:
    assert converted(kind, value) == [expected]
    assert converted(kind, None, value) == [None, expected]


NUMBERS = (
    st.floats() | st.integers(-(2**70), 2**70).map(float) | st.sampled_from([2.0**31, -(2.0**31), 2.0**63, 0.0, 1.0])
)
TEXTS = (
    st.text(max_size=8)
    | NUMBERS.map(str)
    | st.integers(-(2**65), 2**65).map(str)
    | st.sampled_from(["true", "0", "1.0"])
)


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(NUMBERS | st.none(), min_size=1, max_size=5) | st.lists(TEXTS | st.none(), min_size=1, max_size=5))
def test_a_value_lands_alike_alone_and_in_any_company(kind: str, values: list[Any]) -> None:
    wire = pa.array(values, pa.string() if any(isinstance(v, str) for v in values) else pa.float64())
    together = convert(field(kind), wire)
    alone = [convert(field(kind), wire.slice(n, 1))[0] for n in range(len(values))]
    assert repr(together.to_pylist()) == repr([value.as_py() for value in alone])
    assert together.type == KINDS[kind]
    assert all(found is None for value, found in zip(values, together.to_pylist(), strict=True) if value is None)


@given(st.lists(NUMBERS, max_size=6))
def test_whole_numbers_are_never_another_number(values: list[float]) -> None:
    for kind, bits in (("int", 31), ("long", 63)):
        for value, found in zip(values, converted(kind, *values), strict=True):
            fits = math.isfinite(value) and value.is_integer() and -(2**bits) <= value < 2**bits
            assert found == (int(value) if fits else None)
