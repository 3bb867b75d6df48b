"""Decompression with bounded output, which gives everything that can be read of damaged data.

All codecs behave like the standard library's `BZ2Decompressor`: bounded output
by `max_length`, `eof`, `needs_input`, `unused_data`.
"""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES = 1 << 18
"""Bytes that one step of decompression gives at most."""

_WINDOW_LOG2_BYTES = 27
_XZ_MEMORY_BYTES = 128 * 1024 * 1024
_DAMAGE = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError, MemoryError)
"""Raised by the codecs on bytes that they cannot read. (bz2 raises OSError.)"""


class Damaged(Exception):
    """Data that cannot be read on; never leaves the readers of containers."""


class TooLarge(Exception):
    """Data that grows beyond its bound; never leaves the readers of containers."""


class Stream(Protocol):
    """One compressed member, frame or block."""

    @property
    def eof(self) -> bool:
        """Whether it has ended as it should."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more can be given before more is fed."""

    @property
    def unused_data(self) -> bytes:
        """Bytes that were fed and lie behind its end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Feeds more bytes and gives at most `max_length`."""


class Zlib:
    """zlib's streams in that form. Where the data breaks, everything before the damage comes out first."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self._waiting = b""
        self._is_full = self._is_broken = False

    @property
    def eof(self) -> bool:
        """See `Stream`."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """See `Stream`."""
        return not (self._waiting or self._is_full or self._is_broken)

    @property
    def unused_data(self) -> bytes:
        """See `Stream`."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Stream`; raises zlib.error once all is given."""
        if self._is_broken:
            raise zlib.error("broken")
        data = self._waiting + data
        before = self._stream.copy()  # copies 40 KB for each 64 KB that are fed
        try:
            out = self._stream.decompress(data, max_length)
        except zlib.error:
            self._is_broken, self._stream = True, before
            return b"".join(self._until_broken(data, max_length))
        self._waiting, self._is_full = self._stream.unconsumed_tail, len(out) == max_length  # zlib may hold back more
        return out

    def _until_broken(self, data: bytes, max_length: int) -> Iterator[bytes]:
        try:
            for at in range(len(data)):
                yield self._stream.decompress(data[at : at + 1], max_length)
        except zlib.error:
            return


def gzip_member() -> Stream:
    """A member of a gzip file."""
    return Zlib(31)


def deflate_block() -> Stream:
    """Raw deflate, as Avro has it."""
    return Zlib(-15)


def zstd_frame() -> Stream:
    """A frame, or a skippable one; its window, which is memory, may have 128 MB (`zstd --long=27`)."""
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG2_BYTES})


def xz_block() -> Stream:
    """An xz stream; its dictionary, which is memory, may have 128 MB."""
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)


def bzip2_block() -> Stream:
    """A bzip2 stream."""
    return bz2.BZ2Decompressor()


class Codec(NamedTuple):
    """A way of compressing files: how a member begins, what reads it, and how many bytes are fed at a time.

    Where zstd meets damage, its output for the piece that it was just fed is lost. Therefore pieces are small; that
    costs 1 us a KB, of about 100 us that the events in it cost.
    """

    is_begin: Callable[[bytes], bool]
    make: Callable[[], Stream]
    feed_bytes: int


GZIP = Codec(lambda first: first[:2] == b"\x1f\x8b", gzip_member, 64 * 1024)
ZSTD = Codec(lambda first: first == b"\x28\xb5\x2f\xfd" or is_skippable(first), zstd_frame, 1024)


def is_skippable(first: bytes) -> bool:
    """Whether a frame begins so that zstd passes over."""
    return first[1:4] == b"\x2a\x4d\x18" and first[0] >> 4 == 5


def concatenated(pieces: Iterator[bytes], codec: Codec) -> Iterator[bytes]:
    """The content of members that follow each other; zeros between or behind them are skipped.

    Raises Damaged, after everything that could be read, where a member breaks or
    ends early, or where something that is no member follows.
    """
    fed = _Fed(pieces, codec.feed_bytes)
    while fed.skip_zeros():
        if not codec.is_begin(fed.start()):
            raise Damaged
        stream = codec.make()
        while not stream.eof:
            data = fed.next() if stream.needs_input else b""
            if stream.needs_input and not data:
                raise Damaged
            try:
                out = stream.decompress(data, PIECE_BYTES)
            except _DAMAGE:
                raise Damaged from None
            if out:
                yield out
        fed.put_back(stream.unused_data)


class _Fed:
    """Compressed bytes, given in small pieces, with a look ahead."""

    def __init__(self, pieces: Iterator[bytes], feed_bytes: int) -> None:
        self._pieces = pieces
        self._feed_bytes = feed_bytes
        self._ahead = b""
        self._at = 0

    def start(self) -> bytes:
        """The next four bytes, fewer at the end; they stay."""
        while len(self._ahead) - self._at < 4 and (more := next(self._pieces, b"")):
            self._ahead, self._at = self._ahead[self._at :] + more, 0
        return self._ahead[self._at : self._at + 4]

    def next(self) -> bytes:
        """Some bytes; none at the end."""
        if self._at >= len(self._ahead):
            self._ahead, self._at = next(self._pieces, b""), 0
        begin, self._at = self._at, self._at + self._feed_bytes
        return self._ahead[begin : self._at]

    def put_back(self, unused: bytes) -> None:
        """Bytes of the piece that was given last, to be given again."""
        self._at = min(self._at, len(self._ahead)) - len(unused)

    def skip_zeros(self) -> bool:
        """Whether anything else comes."""
        while not (rest := self._ahead[self._at :].lstrip(b"\0")):
            self._ahead, self._at = next(self._pieces, b""), 0
            if not self._ahead:
                return False
        self._at = len(self._ahead) - len(rest)
        return True


def inflated(make: Callable[[], Stream], data: bytes, limit_bytes: int) -> bytes:
    """The content of one compressed block; raises Damaged, or TooLarge as soon as it exceeds its bound."""
    stream, out = make(), bytearray()
    while not stream.eof:
        try:
            out += stream.decompress(data, PIECE_BYTES)
        except _DAMAGE:
            raise Damaged from None
        data = b""
        if len(out) > limit_bytes:
            raise TooLarge
        if stream.needs_input and not stream.eof:
            raise Damaged
    return bytes(out)
