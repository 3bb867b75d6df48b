"""Fates as lines for people."""

from collections import defaultdict
from collections.abc import Iterator

from pipelines.checking.examine import Checked
from pipelines.checking.fates import Fate, Place, Suggestion, Verdict
from pipelines.running.summary import describe

_MOST_ROWS = 60
"""Of a larger input only examples are shown."""

_MOST_NAME_CHARS = 80
_JOINED = {"displays": "display", "outcomes": "outcome", "persistence_checks": "check", "redactions": "redaction"}


def table(checked: Checked, examples: int) -> Iterator[str]:
    """Each event of a small input; of a larger one, of each verdict some events; then the totals."""
    fates = checked.fates
    if len(fates) <= _MOST_ROWS:
        yield from rows(fates)
    else:
        yield from _by_verdict(fates, examples)
    if checked.is_cut:
        yield f"only the first {len(fates)} events were read: see --max_events"
    yield ""
    yield describe(checked.published.books).removesuffix("\nthe books balance")
    suggestions = checked.published.suggestions
    if suggestions:
        open_ones = sum(suggestion.is_open for suggestion in suggestions)
        yield f"suggestions: {len(suggestions)}, of which {open_ones} are open at the end of the input"
    if months := sorted(checked.published.months - {"1970-01"}):
        yield f"received in {', '.join(months)}: the key ring of a run needs a key for each of these months"


def rows(fates: list[Fate]) -> Iterator[str]:
    """A row for each event, in columns, and what to do about it below."""
    cells = [(fate.place.short, fate.name or "-", str(fate.verdict or "-"), what(fate)) for fate in fates]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(3)]
    hint = None
    for fate, row in zip(fates, cells, strict=True):
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        if fate.hint and fate.hint != hint:
            yield f"{' ' * (widths[0] + 2)}-> {fate.hint}"
        hint = fate.hint
        if fate.unread and (fate.is_declared or fate.verdict is Verdict.OUTSIDE_CONTRACT):
            yield f"{' ' * (widths[0] + 2)}-> no manifest declares {', '.join(map(printable, fate.unread))}"


def what(fate: Fate) -> str:
    """What becomes of an event, beside its verdict."""
    if fate.verdict is Verdict.DUPLICATE:
        return f"of {fate.duplicate_of.short}" if fate.duplicate_of else ""
    if fate.verdict is Verdict.QUARANTINED:
        field = ".".join(part for part in (fate.dataset, fate.wrong) if part)
        must = f"{field} must be {fate.expected}" if fate.expected else field
        return f"{fate.key}: {must}" if must else str(fate.key)
    if fate.verdict is not Verdict.LANDED:
        return f"by level {fate.key}" if fate.verdict is Verdict.WITHHELD else ""
    parts = [f"in {', '.join(fate.datasets)}", *_beside(fate)]
    return "; ".join(parts)


def _beside(fate: Fate) -> Iterator[str]:
    if fate.suggestion is not None:
        yield _suggestion(fate, fate.suggestion)
    if fate.is_late:
        yield "late: its suggestion was over"
    if fate.is_unjoined:
        yield "of no suggestion: it names none, or nobody can tell which"
    if fate.withheld_values:
        named = ", ".join(fate.withheld_fields) or f"{sum(fate.withheld_values.values())} fields"
        yield f"withheld {named}"
    if fate.unknown_values:
        yield f"landed as other: {', '.join(sorted(fate.unknown_values))}"
    if fate.redactions:
        yield f"redacted {', '.join(f'{kind} {count}' for kind, count in sorted(fate.redactions.items()))}"
    if fate.unread_count:
        yield f"{fate.unread_count} members not read"


def _suggestion(fate: Fate, suggestion: Suggestion) -> str:
    others = [
        f"{word} {', '.join(map(_number, places))}"
        for dataset, word in _JOINED.items()
        if (places := [other.place for other in suggestion.of(dataset) if other is not fate])
    ]
    is_open = " (open)" if suggestion.is_open else ""
    return f"{suggestion.kind} {suggestion.outcome}{is_open}{' with ' if others else ', alone'}{', '.join(others)}"


def explained(fate: Fate) -> Iterator[str]:
    """Everything about one event, a line for each part."""
    yield f"{fate.place.short}  {fate.name or 'no event'}: {fate.verdict}"
    if said := what(fate):
        yield from (f"  {part}" for part in said.split("; "))
    for name in fate.unread:
        yield f"  not read: {printable(name)}"
    if fate.hint:
        yield f"  -> {fate.hint}"


def printable(name: str) -> str:
    """A client's word, cut short, without what could move a terminal's cursor."""
    shown = "".join(c if c.isprintable() else "?" for c in name[:_MOST_NAME_CHARS])
    return f"{shown}{'…' if len(name) > _MOST_NAME_CHARS else ''}"


def _by_verdict(fates: list[Fate], examples: int) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Fate]] = defaultdict(list)
    for fate in fates:
        if fate.verdict is not None:
            detail = fate.key or next(iter(fate.datasets), "")
            groups[str(fate.verdict), detail].append(fate)
    for (verdict, detail), found in sorted(groups.items(), key=lambda item: list(Verdict).index(Verdict(item[0][0]))):
        yield f"{verdict}{f' ({detail})' if detail else ''}, for example:"
        told = sorted(found, key=lambda fate: not (fate.unknown_values or fate.redactions or fate.withheld_values))
        yield from (f"  {line}" for line in rows(sorted(told[:examples], key=lambda fate: fate.place)))


def _number(place: Place) -> str:
    return place.short.rpartition(":")[2]
