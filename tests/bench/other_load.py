"""Another load of the same shape: the lines of a generated day, spelled as other clients might spell them.

    python -m tests.bench.other_load RAW_FOLDER NEW_FOLDER

Every property has another of the names that the contract knows for its field. Identifiers are of another form and
length. Members stand in another order, the ones that all events share first. The text that no schema names holds
characters that JSON escapes, and versions of the extension are many. So a cache or an order of members that only fits
what `pipelines.generate` makes does not help. Make the day with more people than by default.
"""

import re
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from schemas.registry import load

_OF_ONE_FORM = ("installation_id", "session_id", "user_id", "os", "os_version", "ui", "remote", "language", "engine")
"""Fields whose values look alike under all of their names."""

_IDENTIFIER = re.compile(r"(?:icr-)?[0-9a-f]{8}-?[0-9a-f-]{20,}[0-9]*")


def other_names() -> dict[str, str]:
    """A property's name -> the next one that the contract knows for the same field."""
    names: dict[str, str] = {}
    for name in _OF_ONE_FORM:
        sources = load("displays").field(name).sources
        known = [s.removeprefix("properties.") for s in sources if s.startswith("properties.")]
        names |= zip(known, known[1:] + known[:1], strict=True)
    return names


def other_value(value: str) -> str:
    """Another identifier for each one, the same for the same; other text as it is."""
    if _IDENTIFIER.fullmatch(value) is None:
        return value
    return str(UUID(bytes=blake2b(value.encode(), digest_size=16).digest())).upper()


class _Respeller:
    def __init__(self) -> None:
        self._names = other_names()

    def properties(self, properties: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in reversed(properties.items()):
            if "assignmentcontext" in name:
                found["experiments"] = value.replace(";", '\n"').replace("0=", "0=\u00e9")
            elif name == "common.extversion":
                found[name] = f"0.{int(properties['common.vscodemachineid'][:4], 16) % 400}.0"
            else:
                found[self._names.get(name, name)] = other_value(value)
        return found

    def line(self, line: bytes) -> bytes:
        document: dict[str, Any] = msgspec.json.decode(line)
        base = document["data"]["baseData"]
        if "properties" in base:
            base["properties"] = self.properties(base["properties"])
        if "tags" in document:
            document["tags"] = {name: other_value(value) for name, value in document["tags"].items()}
        return msgspec.json.encode(dict(reversed(document.items())))


def main(raw: str, output: str) -> None:
    """Writes each file anew."""
    respeller = _Respeller()
    Path(output).mkdir(parents=True)
    for path in sorted(Path(raw).iterdir()):
        lines = path.read_bytes().splitlines()
        (Path(output) / path.name).write_bytes(b"".join(respeller.line(line) + b"\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
