"""Where a geo database comes from: the package, a file, an object store."""

import os
import tempfile
from pathlib import Path

import fsspec
import pytest

from schemas.errors import InvalidOptions, StorageUnavailable
from transforms.core import storage
from transforms.core.protecting.places import geo_file
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.places.geo_file import PACKAGED, default_geo_database, open_database

URL = "memory://geo/city.mmdb"


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A database in a store of fsspec's; temporary files have a folder of their own."""
    storage.forget_fetched()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    fsspec.filesystem("memory").pipe_file("/geo/city.mmdb", Path(default_geo_database()).read_bytes())
    return URL


def test_one_of_a_store_gives_the_places_of_the_file(stored: str) -> None:
    ours, theirs = GeoDatabase(stored, 15_000), GeoDatabase(default_geo_database(), 15_000)
    for address in ("8.8.8.8", "81.2.69.142", "2001:4860:4860::8888", "10.0.0.1"):
        assert ours.place(address) == theirs.place(address)
    assert ours.build_date == theirs.build_date


def test_a_process_fetches_it_once_and_leaves_no_copy(
    stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, real = [], geo_file._reader_of

    def opening(path: str, told: str) -> object:
        modes.append(os.stat(path).st_mode & 0o777)
        return real(path, told)

    monkeypatch.setattr(geo_file, "_reader_of", opening)
    readers = {id(open_database(stored).reader) for _ in range(5)}
    assert len(readers) == 1
    assert modes == [0o600]
    assert not list((tmp_path / "tmp").iterdir())
    fsspec.filesystem("memory").pipe_file("/geo/city.mmdb", b"replaced")
    assert GeoDatabase(stored, 15_000).place("8.8.8.8").country == "US"


@pytest.mark.parametrize(("data", "told"), [(b"", "an empty file"), (b"x" * 5000, "cut short, or of another format")])
def test_one_of_a_store_that_is_none_is_refused_by_its_url(stored: str, data: bytes, told: str, tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/geo/city.mmdb", data)
    with pytest.raises(InvalidOptions, match=f"^--geo_database {URL}: .*{told}") as refused:
        open_database(stored)
    assert str(tmp_path) not in str(refused.value)
    assert not list((tmp_path / "tmp").iterdir())


def test_one_that_is_not_in_the_store_is_the_stores_error(stored: str) -> None:
    with pytest.raises(StorageUnavailable, match="cannot read memory://geo/none"):
        open_database("memory://geo/none")


def test_the_packaged_one_is_found_where_a_worker_has_it() -> None:
    assert open_database(PACKAGED).path == default_geo_database()
    assert GeoDatabase(PACKAGED, 15_000).build_date == GeoDatabase(default_geo_database(), 15_000).build_date
