"""What a file is, by its first bytes; its name does not matter."""

import codecs
from enum import Enum

from transforms.core.reading.inflate import GZIP, ZSTD

START_BYTES = 512
"""First bytes of a file that are needed to tell what it is: tar has its mark at byte 257."""

AVRO_MAGIC = b"Obj\x01"


class Kind(Enum):
    """What readers tell apart."""

    LINES = "lines"
    UTF16 = "utf-16"
    UTF32 = "utf-32"
    GZIP = "gzip"
    ZSTD = "zstd"
    AVRO = "avro"
    FOREIGN = "foreign"


_FOREIGN = (
    b"PK\x03\x04", b"PK\x05\x06", b"PAR1", b"PARE", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c", b"\x04\x22\x4d\x18",
    b"\xff\x06\x00\x00sNaPpY", b"ORC", b"ARROW1", b"\xff\xff\xff\xff\x10\x00\x00\x00", b"SQLite format 3\x00", b"%PDF-",
    b"\x7fELF", b"\x89PNG", b"\xff\xd8\xff", b"SEQ\x06", b"Rar!\x1a\x07", b"\x1f\x9d", b"LZIP", b"\x89LZO\x00",
    b"GIF8", b"\xca\xfe\xba\xbe", b"MZ\x90\x00", b"\xd0\xcf\x11\xe0",
)  # fmt: skip
"""Zip, Parquet, bzip2, xz, 7z, lz4, framed snappy, ORC, Arrow, SQLite, PDF, programs, pictures, sequence files and the
like. Read as lines, each would give thousands of quarantined pieces."""


def kind_of(first: bytes) -> Kind:
    """The kind of a file, from its first START_BYTES, or all bytes of a shorter one."""
    if GZIP.is_begin(first[:4]):
        return Kind.GZIP
    if ZSTD.is_begin(first[:4]):
        return Kind.ZSTD
    if first.startswith(AVRO_MAGIC):
        return Kind.AVRO
    if first.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return Kind.UTF32
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Kind.UTF16
    if first.startswith(_FOREIGN) or first[257:262] == b"ustar":
        return Kind.FOREIGN
    return Kind.LINES
