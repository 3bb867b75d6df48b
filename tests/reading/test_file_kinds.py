"""Kinds of files: told by the first bytes alone, and lines wherever no mark says otherwise."""

import bz2
import gzip
import io
import json
import lzma
import tarfile

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.reading.file_kinds import _FOREIGN, START_BYTES, Kind, kind_of


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.ndjson"), io.BytesIO(b""))
    return out.getvalue()


KINDS = [
    (gzip.compress(b"x"), Kind.GZIP),
    (zstandard.compress(b"x"), Kind.ZSTD),
    (b"\x50\x2a\x4d\x18\x04\0\0\0abcd", Kind.ZSTD),
    (b"\x5f\x2a\x4d\x18\x04\0\0\0abcd", Kind.ZSTD),
    (b"\x60\x2a\x4d\x18\x04\0\0\0abcd", Kind.LINES),
    (b"Obj\x01", Kind.AVRO),
    (b"Obj\x02", Kind.LINES),
    ("{}".encode("utf-16"), Kind.UTF16),
    (b"\xfe\xff" + "{}".encode("utf-16-be"), Kind.UTF16),
    ("{}".encode("utf-32"), Kind.UTF32),
    (b"\xef\xbb\xbf{}", Kind.LINES),
    (tar(), Kind.FOREIGN),
    (bz2.compress(b"x"), Kind.FOREIGN),
    (lzma.compress(b"x"), Kind.FOREIGN),
    (b"", Kind.LINES),
    (b"{", Kind.LINES),
    (b"\n\n", Kind.LINES),
    (b"\0\0\0\0", Kind.LINES),
]


@pytest.mark.parametrize(("data", "kind"), KINDS, ids=range(len(KINDS)))
def test_kind(data: bytes, kind: Kind) -> None:
    assert kind_of(data[:START_BYTES]) is kind


@given(st.binary(max_size=600))
def test_bytes_behind_the_first_ones_do_not_matter(data: bytes) -> None:
    assert kind_of(data[:START_BYTES]) is kind_of(data)


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=40),
    st.sampled_from(["", " ", "\n", "\t", "["]),
)
def test_json_is_never_taken_for_another_kind(document: dict, before: str) -> None:
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        assert kind_of((before + text).encode("utf-8", "surrogatepass")[:START_BYTES]) is Kind.LINES


@given(st.sampled_from(_FOREIGN), st.binary(max_size=20), st.integers(1, 30))
def test_a_mark_counts_only_when_it_is_whole(mark: bytes, more: bytes, cut: int) -> None:
    assert kind_of(mark + more) is Kind.FOREIGN
    if cut < len(mark) and not any(mark[:cut].startswith(other) for other in _FOREIGN):
        assert kind_of(mark[:cut]) is Kind.LINES
