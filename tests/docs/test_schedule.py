"""docs/schedule.md and what lies beside it: codes are those of the program, commands run, units and lines are sound."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.options.flags import EXIT_CODES, EXIT_MEANINGS
from schemas.errors import ExitCode
from tests.conftest import KEY_RING, sample, write_lines
from tests.support.pages import code_blocks

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "schedule.md").read_text()
BESIDE = ROOT / "docs" / "schedule"
JOBS = sorted(path.stem for path in (ROOT / "pipelines").glob("*.py") if "run_job(main)" in path.read_text())
DAY = "2026-03-29"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there: apt-get install systemd"
)


def codes_of_the_page() -> dict[int, str]:
    table = PAGE.partition("## Exit codes")[2].partition("\n## ")[0]
    return {int(code): meaning for code, meaning in re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", table, re.MULTILINE)}


def test_the_page_and_help_have_the_same_codes() -> None:
    assert codes_of_the_page() == {int(code): meaning for code, meaning in EXIT_MEANINGS.items()}


@pytest.mark.parametrize("job", JOBS)
def test_help_of_every_job_has_them(job: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.{job}", "--help"], capture_output=True, text=True, check=True
    )
    assert EXIT_CODES in " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the page says that it is."""
    folder = tmp_path_factory.mktemp("schedule")
    (folder / "raw" / DAY).mkdir(parents=True)
    write_lines(folder / "raw" / DAY / "a.ndjson", [sample()])
    (folder / "keys").symlink_to(KEY_RING)
    return folder


def sh(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_commands_of_the_page_run_one_after_the_other(place: Path) -> None:
    blocks = code_blocks(PAGE, "sh")
    assert len(blocks) == 4
    for block in blocks:
        done = sh(f"set -e\n{block}", place)
        assert done.returncode == 0, (block, done.stderr)
    assert len((place / "batch.log").read_text().splitlines()) >= 6
    assert "telemetry_batch_exit_code 0.0" in (place / "telemetry.prom").read_text()
    for name in re.findall(r"`(telemetry_\w+)`", PAGE):
        assert name in (place / "telemetry.prom").read_text()


def here(command: str, place: Path) -> str:
    """A command for /opt and /srv, in this folder."""
    moved = {"/opt/telemetry/.venv/bin/python": sys.executable, ".venv/bin/python": sys.executable,
             "/opt/telemetry": str(place), "/srv/telemetry/raw": f"{place}/raw", "/etc/telemetry/keys": KEY_RING,
             "/srv/telemetry/datasets": f"{place}/of_a_scheduler"}  # fmt: skip
    pattern = "|".join(map(re.escape, moved))
    return re.sub(pattern, lambda found: moved[found[0]], command)


def test_the_crontab_line_is_five_fields_and_a_command_that_runs(place: Path) -> None:
    (line,) = (text for text in (BESIDE / "crontab").read_text().splitlines() if not text.startswith("#"))
    *fields, command = line.split(" ", 5)
    limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
    for field, (low, high) in zip(fields, limits, strict=True):
        assert field == "*" or low <= int(field) <= high
    assert "%" not in command, "cron makes a line break of it"
    done = sh(here(command, place), place)
    assert done.returncode == ExitCode.NOTHING_TO_DO, done.stderr  # nobody was here yesterday
    done = sh(here(command, place).replace("yesterday", DAY), place)
    assert done.returncode == 0, done.stderr
    assert list((place / "of_a_scheduler" / "displays").rglob("*.parquet"))


@needs_systemd
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in ("telemetry-batch.service", "telemetry-batch.timer"):
        (tmp_path / unit).write_text(
            (BESIDE / unit).read_text().replace("/opt/telemetry/.venv/bin/python", sys.executable)
        )
    units = [str(tmp_path / "telemetry-batch.service"), str(tmp_path / "telemetry-batch.timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "telemetry-batch" in line]
    assert (done.returncode, told) == (0, [])
    service = (tmp_path / "telemetry-batch.service").read_text()
    (tmp_path / "telemetry-batch.service").write_text(service.replace("Restart=on-failure", "Restart=always"))
    broken = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert broken.returncode != 0, "the check itself"


def setting(name: str, unit: str = "telemetry-batch.service") -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", (BESIDE / unit).read_text(), re.MULTILINE)
    return str(found)


def test_the_service_runs_its_command_and_tries_again_what_may_go_through(place: Path) -> None:
    words = shlex.split(here(setting("ExecStart"), place))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.NOTHING_TO_DO, done.stderr
    never = {int(code) for code in setting("RestartPreventExitStatus").split()}
    good = {ExitCode.DONE, int(setting("SuccessExitStatus"))}
    assert {*ExitCode} - never - good == {ExitCode.TRY_AGAIN, ExitCode.INTERRUPTED}
    assert int(setting("StartLimitBurst")) == 4, "once, and three times again"
    assert setting("KillSignal") == "SIGINT"


@needs_systemd
def test_the_timer_is_once_a_day() -> None:
    told = subprocess.run(["systemd-analyze", "calendar", "--iterations=2", setting("OnCalendar", "telemetry-batch.timer")],
                          capture_output=True, text=True, check=True).stdout  # fmt: skip
    first, second = re.findall(r"(?:Next elapse|Iter\. #2): \w+ (\d{4}-\d\d-\d\d) 01:30:00 UTC", told)
    assert first < second


def test_the_dag_has_the_codes_of_the_program() -> None:
    """Airflow's environment does not have this program, so the numbers stand there as they are."""
    tree = ast.parse((BESIDE / "telemetry_dag.py").read_text())
    (pair,) = (n for n in ast.walk(tree) if isinstance(n, ast.Assign) and "TRY_AGAIN" in ast.unparse(n.targets[0]))
    assert ast.literal_eval(pair.value) == (ExitCode.NOTHING_TO_DO, ExitCode.TRY_AGAIN)
