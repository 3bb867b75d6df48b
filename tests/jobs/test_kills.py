"""A few kills; `make kills` is the long run of them."""

from pathlib import Path

from pipelines import generate
from tests.kills import campaign, content, start


def test_killed_runs_are_made_whole(tmp_path: Path) -> None:
    generate.main([f"--output={tmp_path}/day", "--events=1500", "--seed=2", "--date=2026-03-31"])
    raw = f"{tmp_path}/day/raw"
    child = start(raw, f"{tmp_path}/whole")
    child.join()
    assert child.exitcode == 0
    happened = campaign(4, 3, f"{tmp_path}/killed", raw, content(f"{tmp_path}/whole"), run_s=1.5)
    assert happened["same datasets after"] == 4
