"""A line says who read what; a purpose is one short line that names nobody."""

import os
from datetime import date

import pytest

from schemas.errors import InvalidOptions
from transforms.core.audit.reading import Line, Reading, check_purpose, line_of, parsed
from transforms.core.times import UNKNOWN_DATE

DAY = date(2026, 3, 29)


def reading(purpose: str = "why it repeats itself", **more: object) -> Reading:
    facts: dict = {"who": "alice", "role": "prompts", "action": "read code", "dataset": "snippets", "rows": 7}
    return Reading(**{**facts, "days": (DAY, UNKNOWN_DATE, DAY), "purpose": purpose, **more})


def test_a_line_holds_what_it_was_given_and_who_ran_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    line = parsed(line_of(reading(), 5, "ab"))
    assert isinstance(line, Line)
    assert (line.number, line.previous, line.who, line.role, line.rows) == (5, "ab", "alice", "prompts", 7)
    assert line.days == [UNKNOWN_DATE, DAY]
    assert line.account
    assert line.account != "somebody-else"


def test_an_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    line = parsed(line_of(reading(), 1, ""))
    assert line is not None
    assert line.account == "987654"


@pytest.mark.parametrize(
    "text",
    ["", "ab", "   ", "two\nlines", "a\x1b[2J screen", "x" * 201, "for a\u2028b", "erase " + "ca11ab1e" * 8,
     "alice@example.com asked", "for 5e55104e-cafe-4000-8000-c0ffee000000", "(0ddba11cafef00d0)"],
)  # fmt: skip
def test_a_purpose_that_must_not_stand_there_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(InvalidOptions, match="allowed is one line") as refused:
        check_purpose(text)
    assert len(text) < 5 or text not in str(refused.value)
    with pytest.raises(InvalidOptions):
        reading(text)


@pytest.mark.parametrize(
    "text", ["why", "x" * 200, "ticket 4711: Überprüfung, café", "deadbeef", "request no. 20260329-17"]
)
def test_a_purpose_as_people_write_them_is_taken(text: str) -> None:
    assert check_purpose(text) == text


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"version": 1}', line_of(reading(), 1, "").replace(b":1,", b":2,", 1)]
)
def test_what_is_no_line_is_none(data: bytes) -> None:
    assert parsed(data) is None
