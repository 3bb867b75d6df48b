"""What charts share: texts have room in the widest usual font, and names are cut before they need more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reporting.drawing import CHART_PX, NAME_PX, cut, framed, text_px


@given(st.text(max_size=60))
def test_a_cut_name_has_room_and_is_the_beginning_of_the_name(name: str) -> None:
    short = cut(name)
    assert text_px(short) <= NAME_PX
    assert short == name or (short.endswith("…") and name.startswith(short[:-1]))


@pytest.mark.parametrize(("left_px", "right_px"), [(0, 0), (140, 120), (140, 400)])
def test_a_chart_is_as_wide_as_a_phone_unless_its_texts_are_wider(left_px: float, right_px: float) -> None:
    frame = framed(left_px, right_px, 100)
    whole = frame["width"] + frame["padding"]["left"] + frame["padding"]["right"]
    assert whole == CHART_PX or (frame["width"] == 40 and whole > CHART_PX)
