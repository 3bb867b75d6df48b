"""How much of one installation's day counts, and which part of a day's epsilon each figure gets.

Facts come in streams. A fact of a stream costs points, by its kind, and an installation has so many points of each
stream a day. Who has more is thinned: the same share of all its facts of these streams is left out, so that its own
rates stay what they are and only its weight goes down. Measures split the facts of a stream into parts, of which a
fact belongs to one (or to each by a share), so that the points bound all parts of a measure together. docs/metrics.md
says why the bounds are these.
"""

from typing import NamedTuple

from pipelines.rates.kinds import AGENT_EDIT, ANY, AT_THE_CURSOR, GHOST_TEXT, IN_WORDS, INLINE_CHAT, KINDS, NEXT_EDIT

_UNITS = 10**9

CELLS_BUDGET = 0.2
"""The part of epsilon for which cells there are: the same for each dimension. The counts have what is left."""

COUNTS_UNITS = round(_UNITS * (1 - CELLS_BUDGET))
"""What one installation can change all counts of a day by, together: each count is multiplied by a whole number, its
weight, before noise is drawn for all of them in one go. A part with a larger weight has less noise."""

MOST_CHARS = 400
"""So many characters of one suggestion count."""

_BY_RATIO = (NEXT_EDIT, *IN_WORDS)


class Part(NamedTuple):
    """A count: which share of a fact belongs to it (SQL, from 0 to 1), of which kinds, and the worth of a whole one."""

    name: str
    kinds: tuple[str, ...]
    share: str
    worth: float = 1.0


class Measure(NamedTuple):
    """Parts that split facts: the shares of one fact add up to 1 at most. `budget` is its part of epsilon."""

    name: str
    budget: float
    parts: tuple[Part, ...]


class Stream(NamedTuple):
    """Facts of one sort (SQL). Streams of one `load` are thinned together."""

    name: str
    facts: str
    load: str
    points: int
    costs: dict[str, int]
    measures: tuple[Measure, ...]

    def weight(self, measure: Measure) -> int:
        """Units of one point. Two units a point are left over for shares that are rounded."""
        return int(_UNITS * measure.budget / self.points) - 2

    def unit(self, measure: Measure, kind: str) -> int:
        """Units of one whole fact of the kind."""
        return self.costs[kind] * self.weight(measure)


def _outcomes() -> Measure:
    none = "outcome = 'none'"
    return Measure("outcomes", 0.25, (
        Part("accepted_full", KINDS, "outcome = 'accepted'"),
        Part("accepted_partial", (GHOST_TEXT, AGENT_EDIT), "outcome = 'partially_accepted'"),
        Part("rejected", KINDS, "outcome = 'rejected'"),
        Part("dismissed", (GHOST_TEXT,), "outcome = 'dismissed'"),
        Part("typed_over", AT_THE_CURSOR, f"{none} and is_disagreed"),
        Part("ignored", AT_THE_CURSOR, f"{none} and not is_disagreed"),
        Part("undecided", IN_WORDS, none),
    ))  # fmt: skip


def _look(check_s: int, budget: float) -> Measure:
    """What is left of the text: of ghost text by its state, of others by the share that stayed."""
    state, ratio = f"is_accepted and persistence_{check_s}s", f"four_gram_{check_s}s"
    missing = f"is_followed and survival_{check_s}s in ('observed', 'unobserved') and {ratio} is null"
    stayed = f"case when is_followed and {ratio} is not null then"
    return Measure(f"look_{check_s}s", budget, (
        Part(f"unchanged_{check_s}s", (GHOST_TEXT,), f"{state} = 'unchanged'"),
        Part(f"little_changed_{check_s}s", (GHOST_TEXT,), f"{state} = 'mostly_unchanged'"),
        Part(f"changed_{check_s}s", (GHOST_TEXT,), f"{state} in ('changed', 'removed')"),
        Part(f"unobserved_{check_s}s", (GHOST_TEXT,), f"{state} = 'unobserved'"),
        Part(f"four_gram_kept_{check_s}s", _BY_RATIO, f"{stayed} {ratio}::double end"),
        Part(f"four_gram_lost_{check_s}s", _BY_RATIO, f"{stayed} 1 - {ratio}::double end"),
        Part(f"four_gram_unobserved_{check_s}s", _BY_RATIO, missing),
    ))  # fmt: skip


def _retained(check_s: int) -> Measure:
    whole = f"least(original_chars, {MOST_CHARS}) / {MOST_CHARS}"
    kept = f"least(greatest(retained_{check_s}s, 0) / original_chars, 1)"
    known = f"case when is_followed and retained_{check_s}s is not null then {whole}"
    return Measure(f"retained_{check_s}s", 0.03, (
        Part(f"retained_{check_s}s_chars", AT_THE_CURSOR, f"{known} * {kept} end", MOST_CHARS),
        Part(f"retained_{check_s}s_lost", AT_THE_CURSOR, f"{known} * (1 - {kept}) end", MOST_CHARS),
    ))  # fmt: skip


def _one(name: str, budget: float, *kinds: str, share: str = "1", worth: float = 1.0) -> Measure:
    return Measure(name, budget, (Part(name, kinds, share, worth),))


_CHARS = f"case when is_accepted and chars is not null then least(chars, {MOST_CHARS}) / {MOST_CHARS} end"
_REQUESTS = Measure("requests", 0.04, (
    Part("requests_fine", (ANY,), "not coalesce(has_failed, false)"), Part("failed_requests", (ANY,), "has_failed"),
))  # fmt: skip

STREAMS = (
    Stream("people", "is_home", "people", 5, dict.fromkeys((*KINDS, ANY), 1),
           (_one("installations", 0.1, *KINDS, ANY),)),
    Stream("suggestions", "is_suggestion and is_counted", "use", 60,
           {GHOST_TEXT: 1, NEXT_EDIT: 1, INLINE_CHAT: 6, AGENT_EDIT: 3}, (_outcomes(),)),
    Stream("followed", "is_suggestion and is_followed", "use", 24,
           {GHOST_TEXT: 1, NEXT_EDIT: 1, INLINE_CHAT: 4, AGENT_EDIT: 2},
           (_look(30, 0.07), _look(600, 0.12), _retained(600),
            _one("accepted_chars", 0.06, *AT_THE_CURSOR, share=_CHARS, worth=MOST_CHARS))),
    Stream("opportunities", "is_opportunity", "use", 120, dict.fromkeys(AT_THE_CURSOR, 1),
           (_one("opportunities", 0.05, *AT_THE_CURSOR),)),
    Stream("hours", "active_hour is not null", "use", 16, dict.fromkeys(AT_THE_CURSOR, 1),
           (_one("active_hours", 0.03, *AT_THE_CURSOR),)),
    Stream("requests", "is_request", "trouble", 160, {ANY: 1}, (_REQUESTS,)),
    Stream("errors", "is_error", "trouble", 10, {ANY: 1}, (_one("errors", 0.03, ANY),)),
    Stream("redactions", "is_redaction", "trouble", 10, {ANY: 1}, (_one("redactions", 0.02, ANY),)),
)  # fmt: skip
"""The budgets of all measures and CELLS_BUDGET are 1 together."""
