"""Events of numbered people whose raw ids a test knows."""

import json
import uuid
from pathlib import Path
from typing import Any

from tests.conftest import sample

KINDS = (
    "requests/pass/ghostText.issued",
    "displays/pass/ghostText.shown",
    "outcomes/pass/ghostText.accepted",
    "persistence_checks/pass/ghostText.stillInCode",
    "snippets/pass/engine.completion",
)


def machine(person: int) -> str:
    return f"{person:04x}" * 16


def session(person: int) -> str:
    return f"5e551000-{person:04x}-4000-8000-0000000000011774779232000"


def user(person: int) -> str:
    return f"{person:04x}" * 8


def person_line(person: int, **more: Any) -> str:
    return json.dumps({"machine": machine(person), "tracking": user(person), **more})


def people_file(folder: Path, people: list[int], **more: Any) -> Path:
    path = folder / "people.jsonl"
    path.write_text("".join(person_line(person, **more) + "\n" for person in people))
    return path


def event(
    person: int, number: int = 0, kind: str = KINDS[1], received_at: str = "2026-03-29T10:00:12.920Z", **changes: Any
) -> dict[str, Any]:
    """An event of a person; `number` tells the suggestion. `changes` are members of the stamp or of properties, where
    None takes a property away.
    """
    document = sample(kind)
    stamp = document["collector"] | {"received_at": received_at, "telemetry_level": "all", "snippet_consent": True}
    document["collector"] = {**stamp, **{name: changes.pop(name) for name in stamp if name in changes}}
    document["time"] = received_at
    properties = document["data"]["baseData"]["properties"]
    place = f"{person}/{number}"
    properties |= {
        "unique_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{place}/{kind}/{received_at}")),
        "headerRequestId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{place}/request")),
        "opportunityId": f"icr-{uuid.uuid5(uuid.NAMESPACE_OID, f'{place}/opportunity')}",
        "clientCompletionId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{place}/completion")),
        "client_machineid": machine(person),
        "client_sessionid": session(person),
        "copilot_trackingId": user(person),
        **changes,
    }
    document["data"]["baseData"]["properties"] = {k: v for k, v in properties.items() if v is not None}
    return document


def life(person: int, number: int = 0, received_at: str = "2026-03-29T10:00:12.920Z", **changes: Any) -> list[Any]:
    """A suggestion of a person, from being asked for to its code."""
    return [event(person, number, kind, received_at, **changes) for kind in KINDS]
