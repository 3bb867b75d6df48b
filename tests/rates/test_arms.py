"""Arms over real datasets: every figure against a slow count of the generator's truth."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from pipelines import generate, metrics
from schemas.errors import InvalidOptions
from tests.conftest import read_rows, run_batch


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arms")
    generate.main([f"--output={folder}/day", "--events=8000", "--seed=22", "--date=2026-03-29"])
    run_batch(folder / "day" / "raw", folder / "out", "--close_open_suggestions")
    return folder / "out"


def arms_file(path: Path, arms: dict[str, str]) -> str:
    path.write_text("installation,arm\n" + "".join(f"{who},{arm}\n" for who, arm in arms.items()))
    return f"--arms={path}"


def alternating(output: Path) -> dict[str, str]:
    """Half of the people in each arm."""
    everyone = sorted({row["installation_id"] for row in read_rows(output, "requests")} - {None})
    return {who: ("old", "new")[n % 2] for n, who in enumerate(everyone)}


def compared(output: Path, tmp_path: Path, *flags: str) -> dict:
    metrics.main([f"--datasets={output}", f"--arms_to={tmp_path}/arms.json", *flags])
    return json.loads((tmp_path / "arms.json").read_text())


def test_rates_of_arms_are_those_of_their_people(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arms = alternating(output)
    made = compared(output, tmp_path, arms_file(tmp_path / "arms.csv", arms))
    whole, accepted = defaultdict(int), defaultdict(int)
    for row in read_rows(output, "suggestions"):
        if arm := arms.get(row["installation_id"]):
            at_the_cursor = row["kind"] in ("ghost_text", "next_edit")
            counts = row["display_count"] > 0 if at_the_cursor else row["outcome"] != "none"
            whole[row["kind"], arm] += counts
            accepted[row["kind"], arm] += counts and row["outcome"] in ("accepted", "partially_accepted")
    by_kind = {c["kind"]: c for c in made["comparisons"] if c["rate"] == "acceptance_rate"}
    assert [*by_kind] == ["ghost_text", "next_edit", "inline_chat", "agent_edit"]
    for kind, row in by_kind.items():
        assert row["control"] == "old"
        assert row["control_value"] == pytest.approx(accepted[kind, "old"] / whole[kind, "old"])
        assert row["arm_value"] == pytest.approx(accepted[kind, "new"] / whole[kind, "new"])
    row = by_kind["ghost_text"]
    assert row["difference"] == pytest.approx(row["arm_value"] - row["control_value"])
    assert row["ratio"] == pytest.approx(row["arm_value"] / row["control_value"])
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"]
    assert abs(made["people"]["old"] - made["people"]["new"]) <= 1
    assert not made["is_mismatch"]
    assert "ghost_text acceptance_rate: old " in capsys.readouterr().out


def test_arms_that_are_not_as_large_as_planned(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = compared(output, tmp_path, arms_file(tmp_path / "arms.csv", alternating(output)), "--arm_shares=90,10")
    assert made["is_mismatch"]
    assert "find out why before you believe a figure" in capsys.readouterr().out


def test_a_small_arm_has_no_figures(output: Path, tmp_path: Path) -> None:
    arms = alternating(output)
    few = [who for who, arm in arms.items() if arm == "new"][9:]
    made = compared(output, tmp_path, arms_file(tmp_path / "arms.csv", {w: a for w, a in arms.items() if w not in few}))
    assert made["too_few"] == ["new"]
    assert list(made["people"]) == ["old"]
    assert not made["comparisons"]
    assert made["sample_ratio_p"] is None


def test_arms_by_a_column(output: Path, tmp_path: Path) -> None:
    versions = defaultdict(set)
    for dataset in ("requests", "displays", "outcomes", "suggestions"):
        for row in read_rows(output, dataset):
            versions[row["installation_id"]].add(row["extension_version"])
    versions.pop(None, None)
    one, other = sorted({v for seen in versions.values() for v in seen})[:2]
    made = compared(output, tmp_path, f"--arms=extension_version={one},{other}", "--min_installations=1")
    alone = [seen & {one, other} for seen in versions.values()]
    assert made["people"] == {v: alone.count({v}) for v in (one, other)}
    assert made["in_several"] == alone.count({one, other})


def test_nobody_in_an_arm(output: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="none of the installations"):
        compared(output, tmp_path, arms_file(tmp_path / "arms.csv", {"0" * 32: "a", "1" * 32: "b"}))


def test_a_file_for_the_comparison_needs_one(output: Path) -> None:
    with pytest.raises(InvalidOptions, match="--arms_to goes with --arms"):
        metrics.main([f"--datasets={output}", "--arms_to=x.json"])
