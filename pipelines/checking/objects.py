"""Fates as JSON objects, one a line: the form that docs/check.md describes."""

import json
from collections.abc import Iterator
from typing import Any

from pipelines.checking.examine import Checked
from pipelines.checking.fates import Fate, Place, Suggestion
from schemas.errors import ExitCode


def lines_of(checked: Checked, fates: list[Fate], code: ExitCode) -> Iterator[str]:
    """A line for each of the fates, and a last one with the totals of the whole input."""
    for fate in fates:
        yield json.dumps(_event(fate), ensure_ascii=False)
    books = checked.published.books.as_row()
    totals = {name: dict(count) if isinstance(count, list) else count for name, count in books.items()}
    yield json.dumps({"totals": totals, "is_cut": checked.is_cut, "exit_code": int(code)})


def _event(fate: Fate) -> dict[str, Any]:
    return {
        **_place(fate.place),
        "event": fate.name,
        "verdict": fate.verdict,
        "key": fate.key,
        "datasets": fate.datasets,
        "field": ".".join(filter(None, (fate.dataset, fate.wrong))) or None,
        "expected": fate.expected,
        "duplicate_of": fate.duplicate_of and _place(fate.duplicate_of),
        "suggestion": fate.suggestion and _suggestion(fate.suggestion),
        "is_late": fate.is_late,
        "is_unjoined": fate.is_unjoined,
        "withheld_fields": fate.withheld_fields,
        "withheld_values": fate.withheld_values,
        "unknown_values": fate.unknown_values,
        "redactions": fate.redactions,
        "unread_count": fate.unread_count,
        "unread": fate.unread,
        "hint": fate.hint,
    }


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "number": place.number, "index": place.within}


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    facts = {
        dataset: [_place(fate.place) for fate in suggestion.of(dataset)]
        for dataset in ("displays", "outcomes", "persistence_checks", "redactions")
    }
    return {"kind": suggestion.kind, "outcome": suggestion.outcome, "is_open": suggestion.is_open, **facts}
