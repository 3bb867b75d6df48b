"""Suggestions of every kind from made-up data: exactly the truth, and no twin changes a count."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipelines import generate
from pipelines.synthetic.kinds import KINDS
from tests.conftest import read_rows, run_batch, write_lines
from transforms.core.suggestions.survival import SURVIVAL_S

FLAGS = ("--events=6000", "--seed=11", "--date=2026-03-29", "--container=ndjson", "--without_code")
MEASURES = {"survivalRateFourGram": "four_gram_{}s_ratio", "survivalRateNoRevert": "no_revert_{}s_ratio",
            "arc": "retained_{}s_chars"}  # fmt: skip


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("kinds")
    generate.main([f"--output={place}/day", *FLAGS])
    run_batch(place / "day" / "raw", place / "out", "--close_open_suggestions", "--buckets=2")
    return place


def counted(words: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(word or "" for word in words).items()))


def amounts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the generator says of a kind, from rows of `suggestions`."""
    found: dict[str, Any] = {
        "suggestions": len(rows),
        "shown": sum(r["display_count"] > 0 for r in rows),
        "outcomes": counted(r["outcome"] for r in rows),
        "rejections": sum(r["reject_count"] for r in rows),
        "disposal_reasons": counted(r["disposal_reason"] for r in rows),
        "superseded": sum(r["superseded_by"] is not None for r in rows),
        "shown_ms": sum(r["shown_ms"] or 0 for r in rows),
    }
    for check_s in (s for s in SURVIVAL_S if s != 60):
        found[f"survival_{check_s}s"] = counted(r[f"survival_{check_s}s"] or "not_due" for r in rows)
        sums = {}
        for name, column in MEASURES.items():
            values = [r[column.format(check_s)] for r in rows if r[column.format(check_s)] is not None]
            sums |= {name: round(sum(values), 6)} if values else {}
        found[f"measured_{check_s}s"] = dict(sorted(sums.items()))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_of_a_kind_is_reproduced(day: Path, kind: str) -> None:
    truth = json.loads((day / "day" / "truth.json").read_text())["by_kind"][kind]
    found = amounts([r for r in read_rows(day / "out", "suggestions") if r["kind"] == kind])
    assert found == truth
    assert truth["suggestions"] > 5


def is_twin(line: bytes) -> bool:
    return b'"providerId":"ghostText"' in line or b"endOfLife" in line


KNOWN_BY_THE_TWIN = {"disposal_reason", "superseded_by", "is_typed_over", "not_shown_reason", "time_until_shown_ms",
                     "shown_ms"}  # fmt: skip


def test_a_day_without_second_reports_has_the_same_suggestions_and_fewer_facts(day: Path, tmp_path: Path) -> None:
    lines = [line for path in sorted((day / "day" / "raw").iterdir()) for line in path.read_bytes().splitlines()]
    rest = [line for line in lines if not is_twin(line)]
    assert len(rest) < 0.9 * len(lines)
    run_batch(write_lines(tmp_path / "rest.ndjson", rest), tmp_path / "out", "--close_open_suggestions", "--buckets=2")
    for dataset in ("displays", "outcomes", "persistence_checks"):
        assert read_rows(tmp_path / "out", dataset) == read_rows(day / "out", dataset)
    with_twin, without = (read_rows(place / "out", "suggestions") for place in (day, tmp_path))
    fewer, more = (
        [{k: v for k, v in r.items() if k in KNOWN_BY_THE_TWIN} for r in rows] for rows in (without, with_twin)
    )
    assert [{k: v for k, v in r.items() if k not in KNOWN_BY_THE_TWIN} for r in with_twin] == [
        {k: v for k, v in r.items() if k not in KNOWN_BY_THE_TWIN} for r in without
    ]
    assert sum(v is not None for r in more for v in r.values()) > 2 * sum(
        v is not None for r in fewer for v in r.values()
    )
