"""JSON as clients write it: with halves of characters, bytes that are not UTF-8, control characters in texts."""

import json
import math
from typing import Any, NoReturn

import msgspec

from schemas.errors import MalformedPayload

_BOM = b"\xef\xbb\xbf"  # of a file that was put behind another one
DEEPEST = "JSON, its numbers finite, at most some hundred levels deep"
"""What a refusal says is expected, where a number is too large or nesting too deep."""


def text_of(data: bytes) -> str:
    """The bytes as text. Halves of characters stay, to be joined later; others that are no UTF-8 become U+FFFD."""
    data = data.removeprefix(_BOM)
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def whole_text(text: str) -> str:
    """The text with matching halves of characters joined, and U+FFFD for each half that stands alone."""
    if text.isascii():  # known without looking
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def read_json(line: bytes) -> Any:
    """The value; raises MalformedPayload. Its texts may hold halves of characters: see `whole_text`."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):  # of a number of 5,000 digits, too
        return _read_slowly(line)[0]


def read_members(line: bytes, repeated: str) -> tuple[Any, list[Any]]:
    """The value, and all values of one of its outermost members, which may stand there more than once.

    Raises MalformedPayload.
    """
    if line.count(b'"%b"' % repeated.encode()) <= 1 and b"\\u00" not in line:  # a name can be written with escapes
        value = read_json(line)
        return value, [value[repeated]] if isinstance(value, dict) and repeated in value else []
    value, members = _read_slowly(line)
    return value, [found for name, found in members if name == repeated]


def _read_slowly(line: bytes) -> tuple[Any, list[tuple[str, Any]]]:
    """The value, and the members of the outermost object in the order in which they stand there."""
    latest: list[tuple[str, Any]] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal latest
        latest = pairs
        return dict(pairs)

    try:
        value = json.loads(
            text_of(line), strict=False, object_pairs_hook=members, parse_constant=_refuse, parse_float=_finite
        )
    except json.JSONDecodeError as cause:
        raise MalformedPayload("not JSON", f"character {cause.pos}", "JSON") from None
    except (ValueError, RecursionError):
        raise MalformedPayload("not JSON", None, DEEPEST) from None
    return value, latest if isinstance(value, dict) else []


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number out of range")
    return value
