"""Split values: a client's parts become one value again, in any order; nothing else is touched."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transforms.core.decoding.split_values import join_split_values

NAMES = st.sampled_from(["a", "b", "a_02", "a_03", "a_04", "a_3", "b_02", "_02", "a_02_02"])
VALUES = st.text(max_size=3) | st.integers() | st.none() | st.lists(st.integers(), max_size=1)


def slow_model(properties: dict[str, Any]) -> dict[str, Any]:
    """One name after the other; a part is gone from the result once it was joined to a text before it."""
    result = dict(properties)
    for name, value in properties.items():
        number, parts = 2, []
        while isinstance(value, str) and isinstance(properties.get(f"{name}_{number:02d}"), str) and number <= 50:
            parts.append(f"{name}_{number:02d}")
            number += 1
        if parts:
            result[name] = value + "".join(properties[part] for part in parts)
            for part in parts:
                result.pop(part, None)
    return result


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_joining_is_what_the_slow_model_does(properties: dict[str, Any]) -> None:
    before = dict(properties)
    assert join_split_values(properties) == slow_model(properties)
    assert properties == before, "what is given stays as it is"


@given(st.text(max_size=400), st.integers(1, 40), st.randoms())
def test_what_was_split_is_whole_again(value: str, part_chars: int, random: Any) -> None:
    parts = [value[at : at + part_chars] for at in range(0, len(value), part_chars)][:50] or [""]
    items = [("key" if n == 0 else f"key_{n + 1:02d}", part) for n, part in enumerate(parts)]
    random.shuffle(items)
    assert join_split_values(dict(items)) == {"key": "".join(parts)}


def test_a_part_beyond_the_fiftieth_stays_by_itself() -> None:
    properties = {"key": "0", **{f"key_{n:02d}": "x" for n in range(2, 53)}}
    joined = join_split_values(properties)
    assert joined == {"key": "0" + "x" * 49, "key_51": "x", "key_52": "x"}


def test_a_name_that_only_looks_like_a_part_stays() -> None:
    properties = {"a_02": "x", "b": 1, "b_02": "y", "c": "1", "c_02": "2", "c_04": "4"}
    assert join_split_values(properties) == {"a_02": "x", "b": 1, "b_02": "y", "c": "12", "c_04": "4"}
