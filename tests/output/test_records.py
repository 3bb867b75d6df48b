"""What one record is: read as it was written, refused in one line where it is damaged, unsound or of another version."""

from pathlib import Path

import msgspec
import pytest

from schemas.errors import StorageRefused
from transforms.core.output.records import read_record


class Told(msgspec.Struct):
    days: list[int] = []
    version: int = 1


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(msgspec.json.encode(Told([3, 4])))
    assert read_record(str(path), Told, 1) == Told([3, 4])


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"days": ["secret"]}', b'{"days": [-1]}'])
def test_what_is_damaged_or_unsound_is_refused_and_not_quoted(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(data)
    with pytest.raises(StorageRefused, match="is damaged; bring it back from a backup") as refused:
        read_record(str(path), Told, 1, lambda told: all(day >= 0 for day in told.days))
    assert "secret" not in str(refused.value)
    assert refused.value.__context__ is None


def test_another_version_is_refused_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(b'{"version": 7}')
    with pytest.raises(StorageRefused, match="is of version 7; this program reads version 2"):
        read_record(str(path), Told, 2)
