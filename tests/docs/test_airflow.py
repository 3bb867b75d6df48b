"""The DAG of docs/schedule under a real Airflow: rows land, a day without files is skipped, failures are told apart."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pipelines import generate
from tests.conftest import KEY_RING, all_rows, run_batch
from tests.support.brokers import TOOLS
from transforms.core.output.claim import claimed
from transforms.core.output.layout import Output

ROOT = Path(__file__).parents[2]
AIRFLOW = TOOLS / "airflow" / "bin" / "airflow"
DAY = "2026-03-29"

pytestmark = pytest.mark.skipif(not AIRFLOW.exists(), reason="Airflow is not there: make tools")


class Airflow:
    """An Airflow with a database of its own, its DAGs those of docs/schedule."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
            "AIRFLOW_HOME": str(folder / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "docs" / "schedule"), "TELEMETRY_PYTHON": sys.executable,
            "TELEMETRY_INPUT": f"{folder}/raw/{{received_date}}/*", "TELEMETRY_OUTPUT": str(folder / "out"),
            "TELEMETRY_KEY_RING": KEY_RING, "TELEMETRY_RETRY_S": "0.1",
        }  # fmt: skip

    def __call__(self, *command: str) -> str:
        done = subprocess.run(list(command), env=self.environment, cwd=self.folder, capture_output=True,
                              text=True, check=False, timeout=400)  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout + done.stderr

    def days(self, days: list[tuple[str, dict[str, str]]]) -> list[dict[str, Any]]:
        """State of the run, and state and tries of its task, for the day before each of these; all in one process."""
        code = f"""
            import json, os
            from datetime import UTC, datetime
            from airflow.dag_processing.dagbag import DagBag
            bag = DagBag(dag_folder={str(ROOT / "docs" / "schedule")!r})
            assert not bag.import_errors, bag.import_errors
            before = dict(os.environ)
            for day, more in {days!r}:
                os.environ.clear()
                os.environ.update({{**before, **more}})
                run = bag.dags["telemetry_batch"].test(logical_date=datetime.fromisoformat(day).replace(tzinfo=UTC))
                (task,) = run.get_task_instances()
                print("FOUND", json.dumps({{"run": run.state, "task": task.state, "tries": task.try_number}}))
        """
        told = self(str(AIRFLOW.parent / "python"), "-c", textwrap.dedent(code))
        return [json.loads(line) for line in re.findall(r"^FOUND (.*)$", told, re.MULTILINE)]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    folder = tmp_path_factory.mktemp("airflow")
    generate.main([f"--output={folder}/made", "--events=300", f"--date={DAY}"])
    (folder / "raw").mkdir()
    (folder / "made" / "raw").rename(folder / "raw" / DAY)
    found = Airflow(folder)
    found(str(AIRFLOW), "db", "migrate")
    return found


def test_a_day_lands(airflow: Airflow) -> None:
    told = airflow(str(AIRFLOW), "dags", "test", "telemetry_batch", "2026-03-30")
    assert "state=success" in told
    run_batch(airflow.folder / "raw" / DAY, airflow.folder / "alone", "--buckets=1")
    assert all_rows(airflow.folder / "out") == all_rows(airflow.folder / "alone")
    assert len(all_rows(airflow.folder / "out")["displays"]) > 20


def test_failures_are_told_apart(airflow: Airflow) -> None:
    folder = airflow.folder
    (folder / "raw" / "2026-04-03").mkdir()
    (folder / "raw" / "2026-04-03" / "a.ndjson").write_text("no telemetry\n")
    with claimed(Output(str(folder / "held"))):
        found = airflow.days([
            ("2026-04-02", {}),
            ("2026-03-31", {"TELEMETRY_INPUT": f"{folder}/rwa/{{received_date}}/*"}),
            ("2026-04-04", {}),
            ("2026-03-30", {"TELEMETRY_OUTPUT": str(folder / "held")}),
        ])  # fmt: skip
    assert found == [
        {"run": "success", "task": "skipped", "tries": 1},  # no files
        {"run": "failed", "task": "failed", "tries": 1},  # refused
        {"run": "failed", "task": "failed", "tries": 1},  # of no use
        {"run": "failed", "task": "failed", "tries": 4},  # held by another run: may go through later
    ]
