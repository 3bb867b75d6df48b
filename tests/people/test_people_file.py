"""People as operators write them down; what is not understood is refused by its line's number alone."""

import io
from pathlib import Path

import pytest

from pipelines.people.people_file import read_people
from schemas.errors import InvalidOptions


def test_texts_and_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "people"
    path.write_text('machine abc\n\n{"machine": ["a", "b"], "user": "u", "tracking": "t"}\r\ntracking  t2 \n')
    first, second, third = read_people(str(path))
    assert first.ids == {"installation": {"abc"}}
    assert second.ids == {"installation": {"a", "b"}, "user": {"u", "t"}}
    assert third.ids == {"user": {"t2"}}
    assert second.texts == {"a", "b", "u", "t"}
    assert "abc" not in repr(first)


def test_standard_input_and_what_is_permitted_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'{"session": "s", "telemetry_level": "error", "snippet_consent": false}\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    (person,) = read_people("-")
    assert (person.ids, person.telemetry_level, person.snippet_consent) == ({"session": {"s"}}, "error", False)


@pytest.mark.parametrize(
    "line",
    ["secret-id", "email secret-id", '{"machine": 7, "user": "secret-id"}', '{"user": "secret-id", "name": "x"}', "{}",
     '{"user": ""}', '{"user": "secret-id", "telemetry_level": "secret-id"}', '{"user": "secret-id"', "machine ",
     "machine " + "secret-id" * 200],
)  # fmt: skip
def test_a_line_that_is_not_understood_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "people"
    path.write_text(f"machine a\n{line}\n")
    with pytest.raises(InvalidOptions, match="line 2 is not understood; allowed are") as refused:
        read_people(str(path))
    assert "secret-id" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_nobody_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "people").write_text(content)
    with pytest.raises(InvalidOptions, match="nobody is named there"):
        read_people(str(tmp_path / "people"))
