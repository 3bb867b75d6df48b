"""Counts and rates of a cell, each with the kinds that tell it; definitions with their sources in docs/metrics.md.

What clients do not report of a kind is null there, and not 0: nobody knows it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pipelines.rates.kinds import AGENT_EDIT, ANY, AT_THE_CURSOR, GHOST_TEXT, INLINE_CHAT, KINDS, NEXT_EDIT, listed
from transforms.core.suggestions.persistence import CHECKS_S
from transforms.core.suggestions.survival import SURVIVAL_S

_BY_DISTANCE, _BY_RATIO, _BY_CHARS = (GHOST_TEXT,), (NEXT_EDIT, INLINE_CHAT, AGENT_EDIT), AT_THE_CURSOR
"""Kinds whose text is looked at later by edit distance, by a share of the edit, by retained characters."""

_OBSERVED = "('unchanged', 'mostly_unchanged', 'changed', 'removed')"
_MOST = 2**63 - 1


class Figure(NamedTuple):
    """A column: a count over `facts` and the kinds that tell it, or, without kinds, a formula of counts."""

    name: str
    formula: str
    kinds: tuple[str, ...] = ()


def _number(condition: str) -> str:
    return f"count(*) filter ({condition})"


def _total(column: str, condition: str) -> str:
    """A sum of whole numbers; of absurd ones the largest that fits, as no payload stops a run."""
    return f"least(coalesce(sum({column}) filter ({condition}), 0), {_MOST})::bigint"


def _share(part: str, whole: str) -> str:
    return f"{part} / nullif({whole}, 0)"


def _outcomes() -> Iterator[Figure]:
    yield Figure("opportunities", _number("is_opportunity"), AT_THE_CURSOR)
    yield Figure("displays", _total("display_count", "true"), AT_THE_CURSOR)
    yield Figure("shown", _number("is_shown"), AT_THE_CURSOR)
    yield Figure("suggestions_without_display", _number("is_suggestion and not is_shown"), AT_THE_CURSOR)
    yield Figure("accepted_full", _number("is_counted and outcome = 'accepted'"), KINDS)
    yield Figure("accepted_partial", _number("is_counted and outcome = 'partially_accepted'"), (GHOST_TEXT, AGENT_EDIT))
    yield Figure("rejected", _number("is_counted and outcome = 'rejected'"), KINDS)
    yield Figure("dismissed", _number("is_counted and outcome = 'dismissed'"), (GHOST_TEXT,))
    yield Figure("no_outcome", _number("is_counted and outcome = 'none'"), KINDS)
    yield Figure("typed_over", _number("is_counted and outcome = 'none' and is_disagreed"), AT_THE_CURSOR)
    yield Figure("accepted", _number("is_accepted"), KINDS)
    yield Figure("decided", _number("is_counted and outcome <> 'none'"), KINDS)
    yield Figure("hidden", "rejected + coalesce(dismissed, 0) + typed_over")
    yield Figure("ignored", "no_outcome - typed_over")
    yield Figure("shown_rate", _share("shown", "opportunities"))
    yield Figure("acceptance_rate", _share("accepted", "coalesce(shown, decided)"))
    yield Figure("hide_rate", _share("hidden", "shown"))
    yield Figure("ignore_rate", _share("ignored", "shown"))


def _by_distance(check_s: int) -> Iterator[Figure]:
    state = f"is_accepted and persistence_{check_s}s"
    yield Figure(f"observed_{check_s}s", _number(f"{state} in {_OBSERVED}"), _BY_DISTANCE)
    yield Figure(f"unobserved_{check_s}s", _number(f"{state} = 'unobserved'"), _BY_DISTANCE)
    yield Figure(f"unchanged_{check_s}s", _number(f"{state} = 'unchanged'"), _BY_DISTANCE)
    yield Figure(f"mostly_unchanged_{check_s}s", _number(f"{state} in ('unchanged', 'mostly_unchanged')"), _BY_DISTANCE)
    for name in ("unchanged", "mostly_unchanged"):
        yield Figure(f"{name}_{check_s}s_rate", _share(f"{name}_{check_s}s", f"observed_{check_s}s"))


def _looked_at(method: str, check_s: int, kinds: tuple[str, ...]) -> Iterator[Figure]:
    value, state = f"{method}_{check_s}s", f"is_followed and survival_{check_s}s"
    yield Figure(f"{method}_observed_{check_s}s", _number(f"is_followed and {value} is not null"), kinds)
    missing = f"{state} in ('observed', 'unobserved') and {value} is null"
    yield Figure(f"{method}_unobserved_{check_s}s", _number(missing), kinds)


def _by_ratio(method: str, check_s: int) -> Iterator[Figure]:
    yield from _looked_at(method, check_s, _BY_RATIO)
    total = f"coalesce(sum({method}_{check_s}s) filter (is_followed), 0)::double"
    yield Figure(f"{method}_kept_{check_s}s", total, _BY_RATIO)
    yield Figure(f"{method}_{check_s}s_ratio", _share(f"{method}_kept_{check_s}s", f"{method}_observed_{check_s}s"))


def _by_chars(check_s: int) -> Iterator[Figure]:
    yield from _looked_at("retained", check_s, _BY_CHARS)
    is_observed = f"is_followed and retained_{check_s}s is not null"
    yield Figure(f"retained_{check_s}s_chars", _total(f"retained_{check_s}s", is_observed), _BY_CHARS)
    yield Figure(f"retained_{check_s}s_of_chars", _total("original_chars", is_observed), _BY_CHARS)
    yield Figure(f"retained_{check_s}s_ratio", _share(f"retained_{check_s}s_chars", f"retained_{check_s}s_of_chars"))


def _chars_and_hours() -> Iterator[Figure]:
    yield Figure("accepted_chars", _total("chars", "is_accepted"), AT_THE_CURSOR)
    yield Figure("accepted_chars_unknown", _number("is_accepted and chars is null"), AT_THE_CURSOR)
    yield Figure("accepted_chars_per_opportunity", _share("accepted_chars", "opportunities"))
    hours = "count(distinct (installation_id, active_hour)) filter (active_hour is not null)"
    yield Figure("active_hours", hours, (*AT_THE_CURSOR, ANY))
    yield Figure("accepted_chars_per_active_hour", _share("accepted_chars", "active_hours"))


def _times(name: str, column: str, kinds: tuple[str, ...]) -> Iterator[Figure]:
    yield Figure(f"{name}_known", _number(f"is_shown and {column} is not null"), kinds)
    for share in (50, 95):
        yield Figure(f"{name}_p{share}_ms", f"quantile_cont({column}, {share / 100}) filter (is_shown)", kinds)


def _trouble() -> Iterator[Figure]:
    yield Figure("requests", _number("is_request"), (ANY,))
    yield Figure("failed_requests", _number("is_request and has_failed"), (ANY,))
    yield Figure("errors", _number("is_error"), (ANY,))
    yield Figure("redactions", _number("is_redaction"), (ANY,))
    yield Figure("errors_per_1000_requests", _share("1000 * errors", "requests"))
    yield Figure("redactions_per_1000_requests", _share("1000 * redactions", "requests"))


def _all() -> Iterator[Figure]:
    yield Figure("installations", "count(distinct installation_id)", (*KINDS, ANY))
    yield from _outcomes()
    for check_s in CHECKS_S:
        yield from _by_distance(check_s)
    for method in ("four_gram", "no_revert"):
        for check_s in SURVIVAL_S:
            yield from _by_ratio(method, check_s)
    for check_s in SURVIVAL_S:
        yield from _by_chars(check_s)
    yield from _chars_and_hours()
    yield from _times("latency", "request_latency_ms", AT_THE_CURSOR)
    yield from _times("decision", "decision_ms", (GHOST_TEXT,))
    yield from _times("time_until_shown", "time_until_shown_ms", AT_THE_CURSOR)
    yield from _trouble()


FIGURES = tuple(_all())
"""In the order of the columns of `acceptance`. Some are parts of others and are no columns of it."""


def needed(names: Iterable[str]) -> tuple[Figure, ...]:
    """These figures and those that their formulas name, in the order of FIGURES."""
    found = {*names}
    for figure in reversed(FIGURES):
        if figure.name in found and not figure.kinds:
            found |= {*re.findall(r"\w+", figure.formula)}
    return tuple(figure for figure in FIGURES if figure.name in found)


def counted(source: str, keys: Mapping[str, str], more: str = "", figures: tuple[Figure, ...] = FIGURES) -> str:
    """The query of figures, a row for each combination of the keys (name -> expression; `kind` is one of them).

    `source` is `facts`, joined with what the keys need; `more` are further aggregates, with a name. In three steps, as
    a formula that is spelled out in each that uses it takes DuckDB a second to plan.
    """
    counts = ", ".join(f"{f.formula} as {f.name}" for f in figures if f.kinds)
    known = ", ".join(f"if(kind in ({listed(f.kinds)}), {f.name}, null) as {f.name}" for f in figures if f.kinds)
    grouped = ", ".join(f"{expression} as {name}" for name, expression in keys.items())
    return formulas_over(
        f"select * replace ({known}) from ("
        f"select {grouped}, {f'{more}, ' if more else ''}{counts} from {source} group by all)",
        figures,
    )


def formulas_over(counts: str, figures: tuple[Figure, ...] = FIGURES) -> str:
    """The query of everything that another query tells, and of the formulas over its counts."""
    formulas = "".join(f", {f.formula} as {f.name}" for f in figures if not f.kinds)
    return f"select *{formulas} from ({counts})"
