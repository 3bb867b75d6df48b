"""Small lives through the whole job: every order, anything missing, twice or late; and where the input is cut."""

import itertools
import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import generate
from schemas.registry import load
from tests.conftest import nothing_recent, read_rows, run_batch, sample, write_lines
from tests.support.facts import NOON, fact, tables_of
from transforms.core.curating.curate import Clock, CuratedBucket
from transforms.core.curating.join import join_suggestions
from transforms.core.shuffle.windows import Portion
from transforms.core.suggestions.rows import ATTACHED

ACCEPT = {"outcome": "accepted", "completion_type": "full", "accepted_chars": 60}
CHECK = {"check_s": 30, "completion_type": "full", "relative_edit_distance": 0.2, "is_still_in_code": True}


LIFE = [
    fact("requests", 1, -1, event_name="ghostText.issued", suggestion_id=None, prompt_chars=900),
    fact(
        "displays", 2, 0, completion_chars=65, display_source="network", time_since_issued_ms=430.5, language="python"
    ),
    fact("displays", 3, 1, completion_chars=64, display_source="typingAsSuggested", language="python"),
    fact("outcomes", 4, 2, outcome="partially_accepted", completion_type="partial", accepted_chars=20),
    fact("outcomes", 5, 3, **ACCEPT),
    fact("persistence_checks", 6, 33, **CHECK),
    fact("redactions", 7, 34, suggestion_id=None, category="violence"),
]


def joined(facts: Sequence[tuple[str, dict[str, Any]]], **options: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The rows of a bucket that holds these facts, by suggestion and opportunity, and late counts. Files have an order of
    their own, which rows get when they land.
    """
    tables = tables_of(facts)
    settings = {"horizon": timedelta(minutes=30), "lookback": timedelta(days=1), "close_open": True, **options}
    clock = Clock(max((f["received_at"] for _, f in facts), default=NOON))
    curated = join_suggestions(CuratedBucket(Portion("x", 0), tables, clock=clock), nothing_recent(), **settings)
    made = [t for (dataset, _), t in sorted(curated.tables.items()) if dataset == "suggestions"]
    late: dict[str, int] = {}
    for books in curated.counts.values():
        late |= books.late
    rows = [row for table in made for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["suggestion_id"] or "", row["opportunity_id"] or "")), late


def test_one_life() -> None:
    (row,), late = joined(LIFE)
    assert not late
    assert (row["display_count"], row["display_source"], row["completion_chars"]) == (2, "network", 65)
    assert (row["outcome"], row["accept_count"], row["accepted_chars"]) == ("accepted", 2, 60)
    assert (row["decision_ms"], row["latency_ms"], row["prompt_chars"]) == (3000.0, 430.5, 900)
    assert (row["persistence_30s"], row["distance_30s_ratio"], row["persistence_method"]) == (
        "mostly_unchanged",
        0.2,
        "tokens",
    )
    assert (row["persistence_15s"], row["persistence_120s"]) == ("unobserved", None)
    assert (row["redactions"], row["redaction_category"], row["has_snippet"]) == (1, "violence", False)
    assert (row["closed_at"], row["closed_by"]) == (NOON + timedelta(seconds=34), "end_of_input")


def test_any_order_gives_the_same_row() -> None:
    """A seeded tenth of all orders, and the two that turn everything round: all of them take 100 s."""
    expected = joined(LIFE)
    every = list(itertools.permutations(LIFE))
    for order in (LIFE[::-1], *random.Random(5).sample(every, len(every) // 10)):
        assert joined(order) == expected


@pytest.mark.parametrize("missing", range(len(LIFE)))
def test_any_event_missing_still_gives_one_row(missing: int) -> None:
    rest = LIFE[:missing] + LIFE[missing + 1 :]
    (row,), _ = joined(rest)
    assert row["display_count"] == 2 - (LIFE[missing][0] == "displays")
    assert row["outcome"] == ("partially_accepted" if missing == 4 else "accepted")
    assert (row["persistence_30s"] == "mostly_unchanged") == (missing != 5)
    assert row["prompt_chars"] == (None if missing == 0 else 900)


@pytest.mark.parametrize("late", range(1, 6))
def test_any_fact_a_day_late_lands_without_changing_what_was_written(late: int) -> None:
    dataset, values = LIFE[late]
    moved = (dataset, {**values, "received_at": values["received_at"] + timedelta(days=1)})
    (row,), counts = joined([*LIFE[:late], *LIFE[late + 1 :], moved])
    (without,), _ = joined(LIFE[:late] + LIFE[late + 1 :], close_open=True)
    ends = {"closed_at", "closed_by", *(f"persistence_{s}s" for s in (15, 120, 300, 600)), "persistence_30s"}
    assert {k: v for k, v in row.items() if k not in ends} == {k: v for k, v in without.items() if k not in ends}
    assert row["closed_by"] == "horizon"
    assert counts == {dataset: 1}


def test_a_rejection_does_not_end_a_life() -> None:
    rejected = fact("outcomes", 8, 2, outcome="rejected")
    (row,), _ = joined([LIFE[1], rejected, LIFE[4]])
    assert (row["outcome"], row["persistence_30s"]) == ("accepted", None)


def test_thousands_of_displays_are_one_suggestion() -> None:
    again = [fact("displays", 100 + n, n * 0.01, completion_chars=9) for n in range(5000)]
    (row,), _ = joined(again)
    assert (row["display_count"], row["outcome"], row["persistence_30s"]) == (5000, "none", "not_applicable")


def test_of_several_checks_the_latest_of_the_full_acceptance_counts() -> None:
    checks = [fact("persistence_checks", 20 + n, 40 + n, check_s=30, **v) for n, v in enumerate((
        {"completion_type": "full", "relative_edit_distance": 0.0},
        {"completion_type": "full", "relative_edit_distance": 0.4},
        {"completion_type": "partial", "relative_edit_distance": 0.9},
        {"completion_type": "full"},
    ))]  # fmt: skip
    (row,), _ = joined([*LIFE[:5], *checks])
    assert (row["persistence_30s"], row["distance_30s_ratio"]) == ("changed", 0.4)


DISTANCES = [
    ({"relative_edit_distance": 0.0}, "unchanged", "tokens"),
    ({"relative_edit_distance": 0.33}, "changed", "tokens"),
    ({"relative_edit_distance": 0.5}, "changed", "tokens"),
    ({"relative_edit_distance": 0.51}, "removed", "tokens"),
    ({"relative_edit_distance": -1.0}, "unobserved", None),
    ({"lex_edit_distance_tokens": 1, "completion_tokens": 4}, "mostly_unchanged", "tokens"),
    ({"lex_edit_distance_tokens": 1, "completion_tokens": 0}, "unobserved", None),
    ({"edit_distance_chars": 40, "completion_chars": 100}, "changed", "chars"),
    ({"relative_edit_distance": 0.1, "is_still_in_code": False}, "removed", "tokens"),
    ({"is_still_in_code": False}, "removed", None),
    ({"is_still_in_code": True}, "unobserved", None),
    ({}, "unobserved", None),
]


@pytest.mark.parametrize(("values", "state", "method"), DISTANCES, ids=lambda v: str(v)[:40])
def test_states_of_a_check(values: dict[str, Any], state: str, method: str | None) -> None:
    check = fact("persistence_checks", 9, 600, check_s=30, completion_type="full", **values)
    (row,), _ = joined([LIFE[1], LIFE[4], check])
    assert (row["persistence_30s"], row["persistence_method"]) == (state, method)


KINDS = [("displays", {}), ("outcomes", ACCEPT), ("outcomes", {"outcome": "rejected"}), ("persistence_checks", CHECK)]
SMALL = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5000), st.sampled_from("56")), max_size=9)


@given(SMALL, st.randoms())
def test_no_life_is_an_exception_and_order_changes_none(small: list, random: object) -> None:
    facts = [fact(d, n, second, **v, suggestion_id=s * 32) for n, ((d, v), second, s) in enumerate(small)]
    rows, late = joined(facts)
    assert len(rows) == len({f["suggestion_id"] for _, f in facts})
    assert sum(r["display_count"] + r["accept_count"] for r in rows) <= len(facts)
    random.shuffle(facts)  # type: ignore[attr-defined]
    assert joined(facts) == (rows, late)


def lines_by_hour(raw: Path) -> dict[datetime, list[bytes]]:
    hours: dict[datetime, list[bytes]] = {}
    for path in sorted(raw.glob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            received = datetime.fromisoformat(json.loads(line)["collector"]["received_at"])
            hours.setdefault(received.replace(minute=0, second=0, microsecond=0), []).append(line)
    return dict(sorted(hours.items()))


def suggestions_of(output: Path) -> list[dict[str, Any]]:
    rows = read_rows(output, "suggestions")
    return sorted(rows, key=lambda r: (str(r["suggestion_id"]), str(r)))


def test_one_run_two_days_or_many_hours_give_the_same_suggestions(tmp_path: Path) -> None:
    flags = [
        "--events=2500",
        "--seed=6",
        "--date=2026-03-29",
        "--container=ndjson",
        "--without_code",
        "--without_rubbish",
    ]
    generate.main([f"--output={tmp_path}/day", *flags])
    hours = lines_by_hour(tmp_path / "day" / "raw")
    middle = sorted(hours)[len(hours) // 2]
    late = {}
    for name, key in (("one", lambda h: 0), ("two", lambda h: h < middle), ("hours", lambda h: h)):
        cuts: dict[Any, list[bytes]] = {}
        for hour, lines in hours.items():
            cuts.setdefault(key(hour), []).extend(lines if name == "one" else [*lines[::-1], *lines[:50]])
        late[name] = 0
        for number, lines in enumerate(cuts.values()):
            source = write_lines(tmp_path / f"{name}-{number:02d}.ndjson", lines)
            late[name] += run_batch(source, tmp_path / name, "--buckets=2").late.total()
        assert len(cuts) == {"one": 1, "two": 2, "hours": len(hours)}[name]
    one = suggestions_of(tmp_path / "one")
    assert len(one) > 200
    assert len(hours) >= 24
    assert suggestions_of(tmp_path / "two") == one
    assert suggestions_of(tmp_path / "hours") == one
    assert late["one"] == late["two"] == late["hours"] > 0


def test_what_was_open_over_a_weekend_is_closed_by_the_next_run(tmp_path: Path) -> None:
    friday, monday = sample(), sample()
    monday["collector"]["received_at"] = "2026-04-02T09:00:00Z"
    monday["data"]["baseData"]["properties"] |= {"unique_id": "another", "clientCompletionId": "another"}
    run_batch(write_lines(tmp_path / "friday.ndjson", [friday]), tmp_path / "out")
    assert not read_rows(tmp_path / "out", "suggestions")
    source = write_lines(tmp_path / "monday.ndjson", [monday])
    for _ in range(2):
        run_batch(source, tmp_path / "out")
        (row,) = read_rows(tmp_path / "out", "suggestions")
        assert (row["received_date"], row["closed_by"]) == (friday["collector"]["received_at"][:10], "horizon")


def test_attached_columns_are_columns_of_their_datasets() -> None:
    for dataset, columns in ATTACHED.items():
        assert set(columns) <= set(load(dataset).arrow.names)


def test_choices_of_one_request_are_suggestions_of_their_own() -> None:
    second = [
        fact("displays", 12, 5, suggestion_id="6" * 32, choice_index=1),
        fact("redactions", 13, 6, suggestion_id="6" * 32, category="snippy"),
    ]
    first, other = sorted(joined([*LIFE, *second])[0], key=lambda r: r["suggestion_id"])
    assert (first["outcome"], first["redactions"], first["prompt_chars"]) == ("accepted", 1, 900)
    assert (other["outcome"], other["redactions"], other["prompt_chars"]) == ("none", 2, 900)
    assert (other["redaction_category"], other["choice_index"]) == ("snippy", 1)
