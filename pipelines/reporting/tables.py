"""The page's tables: their columns, what each means in a sentence, and which are left out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.rates.cells import MERGED
from pipelines.reporting import texts
from pipelines.reporting.latency import SLOW_MS
from pipelines.reporting.periods import PERIOD
from transforms.core.suggestions.persistence import CHECKS_S

Row = Mapping[str, Any]


class Column(NamedTuple):
    """A column: its head, the figure in it, how that is written, and, for who does not know the word, what it is."""

    head: str
    name: str
    write: Callable[[Any], str]
    means: str = ""


def shown(rows: Iterable[Row], columns: Sequence[Column]) -> list[Column]:
    """The columns that hold a value in some row; that 0 of a time are known is none."""
    rows = [*rows]
    return [c for c in columns if any(row[c.name] is not None and (row[c.name] or c not in KNOWN) for row in rows)]


KINDS = (
    Column("installations", "installations", texts.number, "extensions on a machine that did anything of this kind"),
    Column("chances", "opportunities", texts.number, "moments at which the editor could have suggested something"),
    Column("shown", "shown", texts.number, "suggestions that were displayed, each once"),
    Column("shown rate", "shown_rate", texts.share, "shown / chances"),
    Column("decided", "decided", texts.number, "suggestions that somebody accepted, rejected or dismissed"),
    Column("accepted", "accepted", texts.number, "as a whole or in part"),
    Column("acceptance rate", "acceptance_rate", texts.share,
           "accepted / shown, or, where clients do not report what was shown, accepted / decided"),
    Column("hide rate", "hide_rate", texts.share, "shown, then rejected, dismissed, left, or typed over, / shown"),
    Column("ignore rate", "ignore_rate", texts.share, "shown, and nothing more is known, / shown"),
    Column("chars per chance", "accepted_chars_per_opportunity", texts.tenths, "accepted characters / chances"),
)  # fmt: skip

BY_DIMENSION = (
    Column("shown", "shown", texts.number),
    Column("acceptance rate", "acceptance_rate", texts.share, "accepted / shown"),
    Column("hide rate", "hide_rate", texts.share, "rejected, dismissed, left or typed over / shown"),
    Column("unchanged, 30\N{NO-BREAK SPACE}s", "unchanged_30s_rate", texts.share,
           "share of accepted ghost text without any edit 30 s later, of what was looked at"),
    Column("latency, median", "latency_p50_ms", texts.span, "half of those who waited for an answer waited longer"),
    Column("errors per 1000 requests", "errors_per_1000_requests", texts.number, "of all kinds together"),
)  # fmt: skip

_WAITED = Column("waited for", "latency_known", texts.number,
                 "suggestions that were fetched when they were asked for, not brought back from a cache")  # fmt: skip
_BY_EDITOR = Column("timed by the editor", "time_until_shown_known", texts.number,
                    "the editor's own time from asking all providers to the display, of any text")  # fmt: skip
_DECIDED = Column("decided", "decision_known", texts.number, "the time from the display to the decision")
KNOWN = (_WAITED, _BY_EDITOR, _DECIDED)
"""How many of a time are known: where it is 0, the time has no column, and this has none either."""

LATENCY = (
    _WAITED,
    Column("wait, median", "latency_p50_ms", texts.span, "from asking to the first display; half waited longer"),
    Column("wait, 95\N{NO-BREAK SPACE}%", "latency_p95_ms", texts.span, "one in twenty waited longer"),
    Column(f"over {texts.span(SLOW_MS)}", "slow_rate", texts.share, "the share of those that waited for it longer"),
    _BY_EDITOR,
    Column("editor, median", "time_until_shown_p50_ms", texts.span),
    Column("editor, 95\N{NO-BREAK SPACE}%", "time_until_shown_p95_ms", texts.span),
    _DECIDED,
    Column("decision, median", "decision_p50_ms", texts.span),
    Column("decision, 95\N{NO-BREAK SPACE}%", "decision_p95_ms", texts.span),
)

PERSISTENCE = (
    Column("looked at", "observed", texts.number, "accepted ghost text of which a report came"),
    Column("not looked at", "unobserved", texts.number,
           "a report was due and did not come: the file was closed, or the editor"),
    Column("unchanged", "unchanged", texts.share, "no token was edited / looked at"),
    Column("mostly unchanged", "mostly", texts.share, "less than a third was edited, or nothing / looked at"),
)  # fmt: skip

FRESHNESS = (
    Column("rows", "events", texts.number,
           "requests, displays, outcomes, redactions and errors that the collector received on that day"),
    Column("first received", "first_received_at", texts.moment),
    Column("last received", "last_received_at", texts.moment, "nothing newer of that day is in these figures"),
    Column("last suggestion closed", "last_closed_at", texts.moment,
           "a suggestion is over half an hour after its last event; only then it counts"),
    Column("delay, median", "delay_p50_s", texts.span_of_s,
           "from when a thing happened, by the client's clock, to when the collector received it"),
    Column("delay, 95\N{NO-BREAK SPACE}%", "delay_p95_s", texts.span_of_s, "one in twenty took longer"),
)  # fmt: skip


def figured(rows: Iterable[Row], pattern: str, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The rows with `figures`: column -> what its figure is called, where programs read the page."""
    return [{**row, "figures": {c.name: pattern.format(**{**row, "name": c.name}) for c in columns}} for row in rows]


def persistence_rows(ghost_text: Row) -> list[dict[str, Any]]:
    """A row for each time at which accepted ghost text is looked at."""
    of_row = {"observed": "observed_{}s", "unobserved": "unobserved_{}s", "unchanged": "unchanged_{}s_rate",
              "mostly": "mostly_unchanged_{}s_rate"}  # fmt: skip
    return [
        {"after": texts.span(s * 1000), "figures": {n: f"ghost_text.{name.format(s)}" for n, name in of_row.items()},
         **{n: ghost_text[name.format(s)] for n, name in of_row.items()}}
        for s in CHECKS_S if ghost_text[f"observed_{s}s"] is not None
    ]  # fmt: skip


def survival_rows(kinds: Mapping[str, Row], times_s: Sequence[int]) -> list[tuple[str, str]]:
    """The pairs of a kind and a method of which anything was looked at, or should have been."""
    return [
        (kind, method)
        for kind, row in kinds.items()
        for method in ("four_gram", "no_revert", "retained")
        if any(row[f"{method}_{state}_{s}s"] for s in times_s for state in ("observed", "unobserved"))
    ]


def most_of_each_kind(rows: Sequence[Row], most: int) -> list[Row]:
    """The first so many rows of each kind."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[row["kind"]] += 1
        if seen[row["kind"]] <= most:
            kept.append(row)
    return kept


def left_out(rows: Sequence[Row], most: int) -> dict[str, int]:
    """Kind -> how many of its rows that leaves out."""
    return {kind: count - most for kind, count in Counter(row["kind"] for row in rows).items() if count > most}


def put_together(over_time: Sequence[Row]) -> str:
    """What the periods hold that had too few installations to be drawn; nothing where there were none."""
    merged = [row for row in over_time if row[PERIOD] == MERGED]
    return "".join(
        f" Not drawn, as too few installations were seen: {texts.share(row['acceptance_rate'])} of {row['volume']:,}."
        for row in merged
    )


MEANINGS = {
    "rows": "Rows of each dataset, as files hold them.",
    "unknown_values": "Words of clients that the contract does not know. Only a known word may land: it could be "
                      "anything. They are counted by column.",
    "withheld": "Events that the user's telemetry level does not permit: at off nothing may land, at crash and error "
                "only those. snippet: an event that is code, of an account that did not consent to it.",
    "quarantined": "Events that could not be taken, by reason. They stand aside, without their values.",
    "outside_contract": "Events that no dataset takes, by kind.",
    "unjoined": "Rows that landed, yet no suggestion has them. no_id: the row names none. only_checks: later looks at "
                "a suggestion of which nothing else came. ambiguous: it could be one of several.",
    "scrubbed": "Pieces of free text that were taken out, as they may tell who or where somebody is.",
    "withheld_fields": "Values taken out of events that were let in, by the level that would permit them.",
}  # fmt: skip
"""What the counts of the ledger are, in words for who has not read the contract."""
