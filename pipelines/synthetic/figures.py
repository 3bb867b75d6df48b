"""The figures of one cell of `acceptance`, counted the slow and obvious way from made-up lives."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.synthetic.event import Event
from pipelines.synthetic.events import CHECKS_S, Person
from pipelines.synthetic.kinds import editor_reports_of, original_chars, survival, twins_of
from pipelines.synthetic.lives import Life

_AT_THE_CURSOR = ("ghost_text", "next_edit")
_SURVIVAL_S = (0, 5, 30, 60, 120, 300, 600, 900)
_OBSERVED = ("unchanged", "mostly_unchanged", "changed", "removed")
_RATIOS = {"four_gram": "survivalRateFourGram", "no_revert": "survivalRateNoRevert"}
_OUTCOMES = {"accepted": "accepted_full", "partially_accepted": "accepted_partial", "none": "no_outcome"}


class Seen:
    """What one cell holds."""

    def __init__(self) -> None:
        self.installations: set[str] = set()
        self.active: set[tuple[str, int]] = set()
        self.counts: dict[str, int] = defaultdict(int)
        self.lives: list[Life] = []

    def be_active(self, someone: Person, event: Event) -> None:
        """Somebody asked for, saw or decided on something."""
        self.installations.add(someone.machine)
        self.active.add((someone.machine, event.at_ms // 3_600_000))


def figures(kind: str, seen: Seen) -> dict[str, Any]:
    """The columns of `acceptance` behind `merged_dimensions`, without those that the kind does not tell."""
    everyone = {"installations": len(seen.installations)}
    if kind == "(any)":
        return everyone | _trouble(seen) | {"active_hours": len(seen.active)}
    return everyone | _of_kind(kind, seen)


def _of_kind(kind: str, seen: Seen) -> dict[str, Any]:
    shown = [life for life in seen.lives if life.displays]
    counted = shown if kind in _AT_THE_CURSOR else seen.lives
    accepted = [life for life in counted if life.outcome in ("accepted", "partially_accepted")]
    followed = accepted if kind != "agent_edit" else seen.lives
    found = _outcomes(kind, counted)
    if kind in _AT_THE_CURSOR:
        found |= _at_the_cursor(seen, shown, accepted) | _by_chars(accepted)
    if kind == "ghost_text":
        return found | _by_distance(accepted) | _times("decision", map(_decision_ms, shown))
    return found | _by_ratio(followed)


def _trouble(seen: Seen) -> dict[str, Any]:
    requests = seen.counts["requests"]
    return {
        "requests": requests,
        **{name: seen.counts[name] for name in ("failed_requests", "errors", "redactions")},
        "errors_per_1000_requests": _over(1000 * seen.counts["errors"], requests),
        "redactions_per_1000_requests": _over(1000 * seen.counts["redactions"], requests),
    }


def _outcomes(kind: str, counted: Sequence[Life]) -> dict[str, Any]:
    """Counts by outcome, and what they are shares of."""
    outcomes = [life.outcome for life in counted]
    words = ["accepted", "rejected", "none"]
    words += ["partially_accepted"] if kind in ("ghost_text", "agent_edit") else []
    words += ["dismissed"] if kind == "ghost_text" else []
    found: dict[str, Any] = {_OUTCOMES.get(word, word): outcomes.count(word) for word in words}
    found["accepted"] = outcomes.count("accepted") + outcomes.count("partially_accepted")
    found["decided"] = len(outcomes) - outcomes.count("none")
    found["acceptance_rate"] = _over(found["accepted"], len(counted) if kind in _AT_THE_CURSOR else found["decided"])
    return found


def _at_the_cursor(seen: Seen, shown: Sequence[Life], accepted: Sequence[Life]) -> dict[str, Any]:
    typed_over = [life for life in shown if life.outcome == "none" and _is_typed_over(life)]
    hidden = len(typed_over) + sum(life.outcome in ("rejected", "dismissed") for life in shown)
    ignored = len(shown) - len(accepted) - hidden
    chars = [_accepted_chars(life) for life in accepted]
    total, opportunities = sum(n or 0 for n in chars), seen.counts["opportunities"]
    return {
        "opportunities": opportunities,
        "displays": sum(len(life.displays) for life in shown),
        "shown": len(shown),
        "suggestions_without_display": len(seen.lives) - len(shown),
        "typed_over": len(typed_over),
        "hidden": hidden,
        "ignored": ignored,
        "shown_rate": _over(len(shown), opportunities),
        "hide_rate": _over(hidden, len(shown)),
        "ignore_rate": _over(ignored, len(shown)),
        "accepted_chars": total,
        "accepted_chars_unknown": chars.count(None),
        "accepted_chars_per_opportunity": _over(total, opportunities),
        "active_hours": len(seen.active),
        "accepted_chars_per_active_hour": _over(total, len(seen.active)),
        **_times("latency", map(_latency_ms, shown)),
        **_times("time_until_shown", map(_until_shown_ms, shown)),
    }


def _by_distance(accepted: Sequence[Life]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for check_s in CHECKS_S:
        states = [life.state(check_s) for life in accepted]
        observed, unchanged = sum(state in _OBSERVED for state in states), states.count("unchanged")
        found |= {
            f"observed_{check_s}s": observed,
            f"unobserved_{check_s}s": states.count("unobserved"),
            f"unchanged_{check_s}s_rate": _over(unchanged, observed),
            f"mostly_unchanged_{check_s}s_rate": _over(unchanged + states.count("mostly_unchanged"), observed),
        }
    return found


def _looks(followed: Sequence[Life], check_s: int) -> list[tuple[str, dict[str, float]]]:
    """Of each suggestion that was looked at or should have been; what comes only sometimes is not missed."""
    looks = [survival(life, check_s) for life in followed]
    return [look for look in looks if look[0] == "observed" or (look[0] == "unobserved" and check_s != 60)]


def _by_ratio(followed: Sequence[Life]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for check_s in _SURVIVAL_S:
        looks = _looks(followed, check_s)
        for method, name in _RATIOS.items():
            values = [measured[name] for _, measured in looks if name in measured]
            found[f"{method}_observed_{check_s}s"] = len(values)
            found[f"{method}_unobserved_{check_s}s"] = len(looks) - len(values)
            found[f"{method}_{check_s}s_ratio"] = _over(sum(values), len(values))
    return found


def _by_chars(followed: Sequence[Life]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for check_s in _SURVIVAL_S:
        begun = [(life, look) for life in followed for look in _looks([life], check_s)]
        kept = [(look[1]["arc"], original_chars(life)) for life, look in begun if "arc" in look[1]]
        known = [(part, whole) for part, whole in kept if whole]
        part, whole = sum(part for part, _ in known), sum(whole or 0 for _, whole in known)
        found |= {
            f"retained_observed_{check_s}s": len(known),
            f"retained_unobserved_{check_s}s": len(begun) - len(known),
            f"retained_{check_s}s_chars": part,
            f"retained_{check_s}s_of_chars": whole,
            f"retained_{check_s}s_ratio": _over(part, whole),
        }
    return found


def _times(name: str, measured: Iterable[float | None]) -> dict[str, Any]:
    known = sorted(ms for ms in measured if ms is not None)
    return {f"{name}_known": len(known), **{f"{name}_p{share}_ms": _percentile(known, share) for share in (50, 95)}}


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _is_typed_over(life: Life) -> bool:
    return any(event.measurements.get("userTypingDisagreed") for event in twins_of(life)[-1:])


def _accepted_chars(life: Life) -> int | None:
    events = [f.event for f in life.facts if f.event.name == "ghostText.accepted"]
    return max((e.measurements["compCharLen"] for e in events), default=original_chars(life))


def _latency_ms(life: Life) -> float | None:
    """None where the first display did not wait for an answer."""
    first = life.displays[0]
    is_replay = first.measurements.get("isFromCache") or first.properties.get("reason") in (
        "cache", "cycling", "typingAsSuggested",
    )  # fmt: skip
    return None if is_replay else first.measurements.get("timeSinceIssuedMs", first.measurements.get("fetchTime"))


def _until_shown_ms(life: Life) -> float | None:
    return next((event.measurements["timeUntilShown"] for event in editor_reports_of(life)), None)


def _decision_ms(life: Life) -> float | None:
    if life.decided is None:
        return None
    event = life.decided.event
    ms = event.measurements.get("timeSinceDisplayedMs", event.at_ms - life.displays[0].at_ms)
    return ms if ms >= 0 else None


def _percentile(values: Sequence[float], share: int) -> float | None:
    if not values:
        return None
    at = (len(values) - 1) * share / 100
    low = values[int(at)]
    return low + (values[min(int(at) + 1, len(values) - 1)] - low) * (at - int(at))
