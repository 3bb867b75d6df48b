"""The record of a change that is not over: kept whole, and refused where it is damaged."""

from pathlib import Path

import pytest

from schemas.errors import StorageRefused, UnfinishedChange
from transforms.core.output.layout import Output
from transforms.core.output.unfinished import begun, check_finished, forget_unfinished, read_unfinished


def test_it_is_read_as_it_was_saved_and_goes(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    check_finished(output)
    record = begun("compact", "c0ffee", ["12 files into 3"], {"paths": ["a", "b"]})
    record.save(output)
    found = read_unfinished(output)
    assert found is not None
    assert (found.job, found.checksum, found.told, found.begun_at) == (
        "compact",
        "c0ffee",
        record.told,
        record.begun_at,
    )
    assert found.payload_as(dict[str, list[str]]) == {"paths": ["a", "b"]}
    with pytest.raises(
        UnfinishedChange, match=r"run pipelines\.compact again with the same flags and --checksum c0ffee"
    ):
        check_finished(output)
    forget_unfinished(output)
    forget_unfinished(output)
    check_finished(output)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"job": "erase"}'])
def test_a_damaged_one_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "_unfinished.json").write_text(content)
    with pytest.raises(StorageRefused, match="is damaged"):
        read_unfinished(Output(str(tmp_path)))


def test_one_of_a_later_version_is_refused(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    record = begun("compact", "c0ffee", [], [])
    record.version = 9
    record.save(output)
    with pytest.raises(StorageRefused, match="of version 9; this program reads version 1"):
        check_finished(output)
