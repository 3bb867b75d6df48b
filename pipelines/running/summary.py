"""The books of a run as a few lines for people."""

from pipelines.options.flags import Share
from transforms.core.output.books import Books
from transforms.core.output.refused import Refusals


def describe(books: Books, refused: Refusals | None = None) -> str:
    """The books as a few lines for people, and what was wrong with what was quarantined."""
    lines = [f"{books.payloads} payloads, {books.events} events:"]
    lines.append(f"  {books.landed:>10} landed")
    lines.append(f"  {books.duplicate:>10} duplicate")
    for name in ("withheld", "outside_contract", "quarantined"):
        counts = getattr(books, name)
        detail = ", ".join(f"{key} {count}" for key, count in counts.most_common(6))
        lines.append(f"  {counts.total():>10} {name}{f' ({detail})' if detail else ''}")
    lines += describe_refused(refused) if refused else []
    if books.unknown_values:
        counts = ", ".join(f"{field} {count}" for field, count in books.unknown_values.most_common(6))
        lines.append(f"values that are not known and landed as other: {books.unknown_values.total()} ({counts})")
    lines.append("rows: " + ", ".join(f"{name} {count}" for name, count in sorted(books.rows.items())))
    if books.late:
        lines.append(f"late for their suggestion: {books.late.total()}")
    if books.unjoined:
        counts = ", ".join(f"{kind} {count}" for kind, count in books.unjoined.most_common(6))
        lines.append(f"belong to no suggestion: {books.unjoined.total()} ({counts})")
    lines.append("the books balance")
    return "\n".join(lines)


def unjoined_warning(books: Books, most: Share) -> str | None:
    """A line where more of the displays, outcomes and checks belong to no suggestion than the share; else None.

    What came late for its suggestion is counted apart.
    """
    facts = sum(books.rows[name] for name in ("displays", "outcomes", "persistence_checks"))
    lost = books.unjoined.total()
    if lost <= most.value * facts:
        return None
    return (
        f"warning: {lost} of {facts} displays, outcomes and checks ({lost / max(facts, 1):.1%}) belong to no "
        f"suggestion, more than --max_unjoined {most.text}; which and why, says the ledger's column unjoined"
    )


def describe_refused(refused: Refusals, most: int = 6) -> list[str]:
    """Lines for people: what was quarantined, most common first; fields and what they must be, never a value."""
    lines = []
    told = [(kind, count) for kind, count in refused.kinds.most_common() if any(kind[1:])]
    for (reason, dataset, field, expected), count in told[:most]:
        where = ".".join(part for part in (dataset, field) if part)
        lines.append(f"  {'':>10}   {count} {reason}: {where}{f' must be {expected}' if expected else ''}")
    if len(told) > most:
        lines.append(f"  {'':>10}   and {len(told) - most} more kinds")
    return lines
