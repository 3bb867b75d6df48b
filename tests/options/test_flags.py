"""Flags: what they take, what they refuse, and that a refusal is one line which says what is allowed."""

import argparse
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.options.flags import (
    MIN_INSTALLATIONS,
    add_date,
    add_min_installations,
    duration,
    iso_date,
    job_parser,
    share,
    whole_number,
)
from schemas.errors import InvalidOptions

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
LONGEST_S = 36_525 * 86_400


@given(number=st.integers(0, 10**9 - 1), unit=st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_its_number_times_its_unit_or_refused_as_too_long(number: int, unit: str) -> None:
    text, seconds = f"{number}{unit}", number * SECONDS[unit]
    if seconds <= LONGEST_S:
        assert duration(text) == timedelta(seconds=seconds)
    else:
        with pytest.raises(argparse.ArgumentTypeError, match="at most 36525d"):
            duration(text)


@pytest.mark.parametrize(
    "text",
    ["", "h", "24", "24 h", " 24h", "24h ", "24h\n", "24H", "1.5h", "-1h", "+1h", "1h30min", "24hours", "24m", "1w",
     "٣h", "1_0h", "9" * 10 + "s", "9" * 400 + "d", "36526d", "nan", "inf"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="as in 24h"):
        duration(text)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_an_error_of_argparse(text: str) -> None:
    try:
        assert timedelta(0) <= duration(text) <= timedelta(seconds=LONGEST_S)
    except argparse.ArgumentTypeError:
        assert not (text[:-1].isascii() and text[:-1].isdigit() and len(text) < 5 and text[-1:] in "shd")


@given(st.integers(0, 10_000))
def test_a_share_reads_the_same_as_per_cent_and_as_a_part(hundredths: int) -> None:
    part, per_cent = share(f"{hundredths / 10_000:.4f}"), share(f"{hundredths / 100:.2f}%")
    assert part.value == pytest.approx(per_cent.value) == pytest.approx(hundredths / 10_000)
    assert per_cent.text == f"{hundredths / 100:.2f}%"
    assert share(f"{hundredths / 100:.2f} %").value == per_cent.value


@pytest.mark.parametrize("text", ["0", "0%", "1", "100%", "1.0", "100.0 %", "0.000000001"])
def test_the_ends_of_shares_are_shares(text: str) -> None:
    assert 0 <= share(text).value <= 1


@pytest.mark.parametrize(
    "text",
    ["", "%", "5", "1.000000001", "100.1%", "101 %", "-1%", "-0.1", "+5%", "5  %", "5%%", ".5", "5.", "1e-3", "nan", "inf", "0,5",
     "\u0665%", "½", "0x1", "5% ", "5%\n", "1" * 10],
)  # fmt: skip
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"a share from 0 to 1, as in 5% or 0\.05"):
        share(text)


@given(st.dates())
def test_a_date_is_read_as_it_is_written(day: date) -> None:
    assert iso_date(day.isoformat()) == day


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-3-29", "2026-13-01", "2026-02-30", "20260329", "2026-W13-7", "2026-088", "2026-03-29T00:00",
     "2026-03-29 ", " 2026-03-29", "2026-03-29\n", "0000-01-01", "yesterday", "٢٠٢٦-٠٣-٢٩"],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="allowed is YYYY-MM-DD"):
        iso_date(text)


@given(low=st.integers(0, 1000), span=st.integers(0, 1000), number=st.integers(0, 3000))
def test_a_whole_number_is_taken_from_one_end_to_the_other(low: int, span: int, number: int) -> None:
    parse = whole_number(low, low + span)
    if low <= number <= low + span:
        assert parse(str(number)) == number
    else:
        with pytest.raises(argparse.ArgumentTypeError, match=f"from {low} to {low + span}"):
            parse(str(number))


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "1e3", "0x10", "1_000", " 1", "1\n", "²", "٣", "½", "9" * 5000]
)
def test_what_is_no_whole_number(text: str) -> None:
    """Of `²` Python says that it is a digit, and cannot read it; of 5,000 digits it refuses to make a number."""
    with pytest.raises(argparse.ArgumentTypeError, match="a whole number from 0 to 99"):
        whole_number(0, 99)(text)


def test_flags_that_are_unknown_cut_short_or_wrong_are_refused_in_one_line() -> None:
    parser = job_parser("example", "An example.")
    add_date(parser)
    add_min_installations(parser)
    for argv, told in (
        (["--dates=2026-03-29"], "unrecognized arguments: --dates"),
        (["--min=3"], "unrecognized arguments: --min"),
        (["--date=2026-3-1"], "argument --date: '2026-3-1': allowed is YYYY-MM-DD"),
        (["--min_installations=0"], "argument --min_installations: '0': allowed is a whole number from 1 to 1000000"),
        (["--date"], "argument --date: expected one argument"),
    ):
        with pytest.raises(InvalidOptions) as found:
            parser.parse_args(argv)
        assert told in str(found.value)
        assert "\n" not in str(found.value)


def test_a_date_may_be_given_again_and_defaults_are_what_help_says() -> None:
    parser = job_parser("example", "An example.")
    add_date(parser)
    add_min_installations(parser)
    nothing = parser.parse_args([])
    assert (nothing.date, nothing.min_installations) == (None, MIN_INSTALLATIONS)
    assert f"Default: {MIN_INSTALLATIONS}." in " ".join(parser.format_help().split())
    assert parser.parse_args(["--date=2026-03-29", "--date=2026-03-30"]).date == [date(2026, 3, 29), date(2026, 3, 30)]


def test_help_tells_the_exit_codes_and_how_the_command_is_called() -> None:
    told = job_parser("example", "An example.").format_help()
    assert "python -m pipelines.example" in told
    assert "130 interrupted" in told
