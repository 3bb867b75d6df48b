"""Members of events that a manifest declares: read from the line when it is known that there are such.

Default deny, as for the events of the contract: a member that is not declared stays bytes, and so does one that is
dropped by its classification.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from schemas.manifests import DROP, KEEP, DeclaredEvent, Manifests, Member, folded
from schemas.registry import load
from transforms.core.carried import DECLARED
from transforms.core.decoding.loose_json import read_json
from transforms.core.decoding.routing import candidates
from transforms.core.decoding.split_values import join_split_values
from transforms.core.decoding.tolerant import as_number, as_text

_TEXTS = pa.map_(pa.string(), pa.string())
_NUMBERS = pa.map_(pa.string(), pa.float64())
_SHARED = frozenset(
    folded(source.partition("=>")[0].removeprefix("properties."))
    for field in load("event").fields
    for source in field.sources
    if source.startswith("properties.")
)
"""Properties that every event has columns of its own for; they are treated there, whatever a manifest says."""


class _Base(msgspec.Struct, gc=False):
    properties: dict[str, msgspec.Raw] | None = None
    measurements: dict[str, msgspec.Raw] | None = None


class _Data(msgspec.Struct, gc=False):
    baseData: _Base


class _Line(msgspec.Struct, gc=False):
    data: _Data


_decode = msgspec.json.Decoder(_Line).decode


class DeclaredMembers(NamedTuple):
    """What was read of one event: texts by treatment, and numbers."""

    texts: Mapping[str, Mapping[str, str]]
    numbers: Mapping[str, float]


class DeclaredRows:
    """The declared events of a block, in their order: `find` says what an event is, `read` reads its members."""

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests
        self._found: DeclaredEvent | None = None
        self._members: list[DeclaredMembers] = []

    def find(self, wire_name: str) -> DeclaredEvent | None:
        """What is declared of an event that the contract has no place for; None where nothing is.

        A name that the contract knows stays with it, also where no condition of its routes holds.
        """
        self._found = self._manifests.find(wire_name) if self._manifests and not candidates(wire_name) else None
        return self._found

    def read(self, line: bytes) -> None:
        """Reads the members of the event that was found last; raises what `declared_members` does."""
        assert self._found is not None
        self._members.append(declared_members(line, self._found))

    def columns(self) -> dict[str, pa.Array]:
        """The columns of `declared_columns`."""
        return declared_columns(self._members, self._manifests)


def declared_members(line: bytes, declared: DeclaredEvent) -> DeclaredMembers:
    """The members of an event that its manifest declares and does not drop, by their declared names.

    Raises InvalidEvent where a declared measurement is no number, MalformedPayload where the line is not JSON.
    """
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    numbers: dict[str, float] = {}
    properties, measurements = _groups(line)
    for name, value in join_split_values(_wanted(properties, declared)).items():
        member = _read(name, declared)
        text = as_text(value) if member is not None else None
        if member is None or not text:
            continue
        if member.is_measurement:
            _add_number(numbers, member, value)
        else:
            texts[member.treatment].setdefault(member.name, text)
    for name, value in _wanted(measurements, declared).items():
        member = _read(name, declared)
        if member is not None:
            _add_number(numbers, member, value)
    return DeclaredMembers(texts, numbers)


def unread_names(line: bytes, declared: DeclaredEvent) -> list[str]:
    """Members of the event that its manifest does not declare, as the client wrote them."""
    found = []
    for group, members in zip(("properties", "measurements"), _groups(line), strict=True):
        joined = join_split_values(dict.fromkeys(members, ""))
        found += [f"{group}.{n}" for n in joined if declared.member(n) is None and folded(n) not in _SHARED]
    return found


def declared_columns(members: Sequence[DeclaredMembers], manifests: Manifests) -> dict[str, pa.Array]:
    """The columns of extension_events that no other dataset has; properties in a column for each treatment."""
    columns = {
        column: pa.array([list(each.texts.get(treatment, {}).items()) for each in members], _TEXTS)
        for treatment, column in DECLARED.items()
    }
    columns["measurements"] = pa.array([sorted(each.numbers.items()) or None for each in members], _NUMBERS)
    columns["manifest"] = pa.repeat(pa.scalar(manifests.digest), len(members))
    return columns


def _groups(line: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Properties and measurements, their values still bytes where the line is as clients write it."""
    try:
        base = _decode(line).data.baseData
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _loose_groups(line)
    return base.properties or {}, base.measurements or {}


def _loose_groups(line: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    document = read_json(line)
    data = document.get("data") if isinstance(document, dict) else None
    base = (data.get("baseData") or data) if isinstance(data, dict) else {}
    found = (base.get("properties"), base.get("measurements"))
    return tuple(group if isinstance(group, dict) else {} for group in found)  # type: ignore[return-value]


def _wanted(members: Mapping[str, Any], declared: DeclaredEvent) -> dict[str, Any]:
    """The values of declared members, and of the parts into which clients split long ones (`name_02`)."""
    return {
        name: read_json(bytes(value)) if isinstance(value, msgspec.Raw) else value
        for name, value in members.items()
        if _read(name, declared) is not None or (name[-3:-2] == "_" and _read(name[:-3], declared) is not None)
    }


def _read(name: str, declared: DeclaredEvent) -> Member | None:
    member = declared.member(name)
    return None if member is None or member.treatment == DROP or folded(name) in _SHARED else member


def _add_number(numbers: dict[str, float], member: Member, value: Any) -> None:
    """A number that is kept lands; of a person or an organization it would be an identifier in clear."""
    if member.treatment == KEEP:
        number = as_number(value, member.name)
        if number is not None:
            numbers.setdefault(member.name, number)
