"""The record of what people no longer permit: rules add up, it is kept whole, and refused where it is damaged."""

from pathlib import Path

import pytest

from schemas.errors import StorageRefused
from transforms.core.keys.pseudonyms import Pseudonymizer
from transforms.core.output.erased import Erased, Rule, digests_of, read_erased
from transforms.core.output.layout import Output

OFF_AT_5 = Rule(5, "off", snippet_consent=False)
ERROR_AT_3 = Rule(3, "error", snippet_consent=True)
ERROR_AT_9 = Rule(9, "error", snippet_consent=True)


def rules(record: Erased, digest: str) -> set[Rule]:
    return {record.rules[number] for number in record.digests[digest]}


def test_a_rule_that_says_no_more_is_left_out_and_one_that_says_more_takes_its_place() -> None:
    record = Erased().with_rules([("a", OFF_AT_5), ("b", ERROR_AT_3)])
    assert rules(record.with_rules([("a", ERROR_AT_3)]), "a") == {OFF_AT_5}
    assert rules(record.with_rules([("a", ERROR_AT_9)]), "a") == {OFF_AT_5, ERROR_AT_9}
    assert rules(record.with_rules([("b", OFF_AT_5)]), "b") == {OFF_AT_5}
    again = record.with_rules([("a", OFF_AT_5), ("b", ERROR_AT_3)])
    assert again == record
    assert record.digests["a"] != record.digests["b"]


def test_it_is_read_as_it_was_saved(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert read_erased(output) == Erased()
    record = Erased().with_rules([("b", OFF_AT_5), ("a", ERROR_AT_3)])
    record.save(output)
    assert read_erased(output) == record


@pytest.mark.parametrize(
    "content",
    ["", "{", '{"version": 2}', '{"digests": {"a": [0]}}',
     '{"rules": [{"before_us": 1, "telemetry_level": "some", "snippet_consent": true}]}'],
)  # fmt: skip
def test_a_damaged_or_later_one_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "_erased").mkdir()
    (tmp_path / "_erased" / "record.json").write_text(content)
    with pytest.raises(StorageRefused, match=r"is damaged|is of version 2"):
        read_erased(Output(str(tmp_path)))


def test_digests_differ_by_kind_and_key_and_show_nothing() -> None:
    text = "ab" * 16
    one, other = Pseudonymizer(b"1" * 32), Pseudonymizer(b"2" * 32)
    found = {digests_of(key, kind, [text])[0] for key in (one, other) for kind in ("user", "session")}
    assert len(found) == 4
    assert all(len(digest) == 32 and text not in digest for digest in found)
