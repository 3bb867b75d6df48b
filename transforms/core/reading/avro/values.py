"""Avro's values in bytes: each function reads one at a place, and says where the next begins.

Raises Broken where the bytes cannot be what the schema says: nothing behind that
place can be told any more. A value that is there but is none of ours is INVALID.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Read = Callable[[bytes, int], tuple[Any, int]]

INVALID: Any = object()
"""What stands for a value that our schema does not allow."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_BYTES = 10


class Broken(Exception):
    """Bytes that are no Avro; never leaves the readers of containers."""


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """An int or long: seven bits a byte, the lowest first, the sign in the last bit."""
    if at < len(data) and (byte := data[at]) < 0x80:  # nearly all are small
        return (byte >> 1) ^ -(byte & 1), at + 1
    shift = number = 0
    for byte in data[at : at + _LONG_BYTES]:
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
    raise Broken


def read_boolean(data: bytes, at: int) -> tuple[Any, int]:
    """True, False; INVALID where the byte is neither."""
    if at >= len(data):
        raise Broken
    byte = data[at]
    return bool(byte) if byte < 2 else INVALID, at + 1


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes of a string or bytes."""
    size, at = read_long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise Broken
    return data[at:end], end


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """The text of a string or bytes; what is no UTF-8 in it becomes U+FFFD."""
    size, at = read_long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise Broken
    return data[at:end].decode("utf-8", "replace"), end


def no_value(data: bytes, at: int) -> tuple[None, int]:  # noqa: ARG001
    """A null: no bytes."""
    return None, at


def timestamp(ticks: int) -> Read:
    """A time as ISO text, INVALID outside the years 1 to 9999; `ticks` as in `layout._TICKS`."""

    def read(data: bytes, at: int) -> tuple[Any, int]:
        number, at = read_long(data, at)
        try:
            return (_EPOCH + timedelta(microseconds=number * ticks if ticks > 0 else number // -ticks)).isoformat(), at
        except OverflowError:
            return INVALID, at

    return read


def union(branches: list[Read]) -> Read:
    """A value of one of several types."""
    count = len(branches)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch, at = read_long(data, at)
        if not 0 <= branch < count:
            raise Broken
        reader = branches[branch]
        return (None, at) if reader is no_value else reader(data, at)

    return read


def invalid(skip: Read | None) -> Read:
    """A value of a type that our field cannot have."""

    def read(data: bytes, at: int) -> tuple[Any, int]:
        return INVALID, at if skip is None else skip(data, at)[1]

    return read


def fixed(size: int) -> Read:
    """So many bytes, passed over."""

    def skip(data: bytes, at: int) -> tuple[None, int]:
        if at + size > len(data):
            raise Broken
        return None, at + size

    return skip


def sequence(members: list[Read]) -> Read:
    """One behind the other, passed over."""

    def skip(data: bytes, at: int) -> tuple[None, int]:
        for member in members:
            _, at = member(data, at)
        return None, at

    return skip


def blocks(item: Read) -> Read:
    """An array or map, passed over: blocks of items until an empty one, each with its length or without."""

    def skip(data: bytes, at: int) -> tuple[None, int]:
        while True:
            count, at = read_long(data, at)
            if count == 0:
                return None, at
            if count < 0:
                size, at = read_long(data, at)
                at += size
                if size < 0 or at > len(data):
                    raise Broken
                continue
            for _ in range(count):
                _, at = item(data, at)

    return skip
