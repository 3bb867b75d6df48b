"""Whether an input was of use: nothing landed of it, or too much was refused, and what to do about it."""

from collections import Counter

from pipelines.options.flags import Share
from schemas.errors import Reason
from transforms.core.keys.keyring import KeyRing
from transforms.core.output.books import Books
from transforms.core.output.refused import Refusals

_LEVEL = "telemetry_level"
_WITHHELD = {
    "off": f"their {_LEVEL} is off, missing or none that is known; a collector stamps each record with all, error, "
    "crash or off",
    "crash": f"their {_LEVEL} is crash, and they need all (errors: error)",
    "error": f"their {_LEVEL} is error, and they need all",
    "snippet": f"code needs {_LEVEL} all and snippet_consent true",
}
_REFUSED = {
    Reason.MALFORMED_PAYLOAD: "these lines are no JSON: is this telemetry?",
    Reason.INVALID_EVENT: "this is JSON of another shape: is this telemetry?",
    Reason.MISSING_RECEIVED_AT: "the collector's received_at is missing or no time",
    Reason.FOREIGN_SCHEMA: "these Avro files are of another schema",
    Reason.UNREADABLE_CONTAINER: "these files cannot be read to their end",
}


def unusable(books: Books, refused: Refusals, max_share: Share, key_ring: str, ring: KeyRing) -> str | None:
    """One line that says why the input was of no use and what to do; None where it was.

    What landed already by another input is of use: a run over the same files again is none to worry about.
    """
    quarantined = books.quarantined.total()
    if books.events and not books.landed and not books.duplicate:
        return f"nothing landed of {books.events} events{_fates(books)}{_advice(books, refused, key_ring, ring)}"
    if quarantined > max_share.value * books.events:
        return (
            f"{quarantined} of {books.events} events ({quarantined / books.events:.1%}) were quarantined, more than "
            f"--max_quarantined_share {max_share.text}{_advice(books, refused, key_ring, ring)}"
        )
    return None


def _fates(books: Books) -> str:
    told = ((books.withheld, "withheld"), (books.outside_contract, "outside the contract"))
    fates = [f"{c.total()} {name}" for c, name in (*told, (books.quarantined, "quarantined")) if c]
    return f" ({', '.join(fates)})" if len(fates) > 1 else ""


def _advice(books: Books, refused: Refusals, key_ring: str, ring: KeyRing) -> str:
    """What to do about the largest of the fates."""
    fates: Counter[tuple[str, str]] = Counter()
    for fate in ("withheld", "quarantined", "outside_contract"):
        fates.update({(fate, key): count for key, count in getattr(books, fate).items()})
    (fate, key), count = fates.most_common(1)[0]
    if fate == "withheld":
        return f"; {count} were withheld: {_WITHHELD.get(key, key)}"
    if fate == "outside_contract":
        return f"; {count} are named {key}, which no schema names"
    if key == Reason.OUTSIDE_KEY_RING:
        return f"; {count} as {key}: {_months_to_make(refused.months.get(key, set()), key_ring, ring)}"
    return f"; {count} as {key}" + (f": {_REFUSED[Reason(key)]}" if key in _REFUSED else "")


def _months_to_make(months: set[str], key_ring: str, ring: KeyRing) -> str:
    """The commands that add months before and after those of the ring; what was destroyed stays so."""
    missing = sorted(months - {*ring.epochs} - ring.gone)
    if not missing:
        return "the keys of those months are gone"
    have = sorted(ring.epochs)
    ends = [missing[0]] if not have or missing[0] < have[0] else []
    ends += [missing[-1]] if have and missing[-1] > have[-1] else []
    commands = [f"python -m pipelines.keys rotate --key_ring {key_ring} --through {month}" for month in ends or missing]
    return f"if these receive times are right, {' and '.join(commands)}, and then run it again"
