"""The name of an event as the ledger would count it, and the members of it that nobody reads."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from schemas.errors import RejectedEvent
from schemas.manifests import Manifests
from schemas.registry import EXTENSION_EVENTS, load
from transforms.core.decoding.declared import unread_names
from transforms.core.decoding.envelopes import decode_event, wire_name
from transforms.core.decoding.event_names import contract_name
from transforms.core.decoding.loose_json import read_json
from transforms.core.decoding.routing import candidates
from transforms.core.decoding.split_values import join_split_values
from transforms.core.decoding.wire import names_of

_GROUPS = ("properties", "measurements")


def name_of(line: bytes, counted_name: Callable[[str], str], manifests: Manifests, *, is_stamped: bool) -> str | None:
    """The event's name in the contract or a manifest; of others a published one, or `other`. None: it is no event."""
    try:
        name = contract_name(wire_name(decode_event(line, is_stamped=is_stamped)))
    except RejectedEvent:
        return None
    if candidates(name):
        return name
    declared = manifests.find(name)
    return declared.name if declared is not None else counted_name(name)


def unread_members(line: bytes, datasets: Sequence[str], manifests: Manifests) -> list[str]:
    """Members of the event that no field of these datasets comes from; of no dataset: that no schema names at all.

    Of a declared event, those that its manifest does not declare.

    They are the client's own words, to be shown to nobody but the one who has the line.
    """
    if EXTENSION_EVENTS in datasets and (declared := manifests.find(wire_name(decode_event(line)))) is not None:
        return unread_names(line, declared)
    try:
        base = _base(read_json(line))
    except RejectedEvent:
        return []
    unread = []
    for group in _GROUPS:
        members = base.get(group)
        if isinstance(members, dict):
            read = _read_of(group, tuple(datasets)) if datasets else names_of(group)
            unread += [f"{group}.{name}" for name in join_split_values(members) if name not in read]
    return unread


def _base(event: Any) -> dict[str, Any]:
    data = event.get("data") if isinstance(event, dict) else None
    base = data.get("baseData", data) if isinstance(data, dict) else None
    return base if isinstance(base, dict) else {}


@cache
def _read_of(group: str, datasets: tuple[str, ...]) -> set[str]:
    schemas = [load(dataset) for dataset in datasets]
    sources = [source for schema in schemas for field in schema.fields for source in field.sources]
    sources += [route.source for schema in schemas for route in schema.events if route.source]
    parts = (source.partition("=>")[0].partition(".") for source in sources)
    return {name for kind, _, name in parts if kind == group}
