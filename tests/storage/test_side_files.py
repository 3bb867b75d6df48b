"""What is left alone beside data, and that no data is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.storage.side_files import is_side_file

DATA = [
    "events.ndjson", "events.json", "events.avro", "events.ndjson.gz", "events.zst", "part-00000", "2026-03-31",
    "collector-00001.ndjson", "no_suffix", "readme-of-events.ndjson", "index-1.ndjson", "metadata_export.ndjson",
    "schema.ndjson", "license.avro", "a#b.ndjson", "backup~1.ndjson", "tmp.ndjson", "x.tmp.ndjson", "donedone",
]  # fmt: skip
BESIDE = [
    "_SUCCESS", ".DS_Store", "._events.ndjson", "events.ndjson.crc", "events.tmp", "events.ndjson.tmp", "x.part",
    "README", "README.md", "readme.txt", "manifest.json", "events-manifest.json", "checksums.txt", "MD5SUMS", "x.sha256",
    "Thumbs.db", "desktop.ini", "events.ndjson~", "#events.ndjson#", "x.swp", "x._COPYING_", "prefix_$folder$", "",
    "events.ndjson.inprogress", "x.half", "x.lock", "SUCCESS",
]  # fmt: skip


@pytest.mark.parametrize("name", DATA)
def test_data_is_read(name: str) -> None:
    assert not is_side_file([name])
    assert not is_side_file(["received_date=2026-03-31", "_shard=1", name])


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_is_left_alone(name: str) -> None:
    assert is_side_file([name])
    assert is_side_file(["deep", name])
    assert is_side_file([name.upper()])


@pytest.mark.parametrize("folder", [".git", "_temporary", "_spark_metadata", ".ipynb_checkpoints"])
def test_a_hidden_folder_hides_what_is_in_it(folder: str) -> None:
    assert is_side_file([folder, "events.ndjson"])
    assert is_side_file(["a", folder, "b", "events.ndjson"])


@given(
    st.text("abcdefghij0123456789", min_size=1, max_size=12), st.sampled_from(["ndjson", "avro", "json", "gz", "zst"])
)
def test_names_of_letters_and_digits_are_data(stem: str, suffix: str) -> None:
    if suffix != "json" or stem not in ("index", "readme"):
        assert not is_side_file([f"{stem}.{suffix}"])
