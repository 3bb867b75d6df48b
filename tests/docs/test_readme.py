"""Every command and every piece of code in the README and in `make run` works as it stands."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from schemas.registry import EVENT_DATASETS
from tests.streams.test_streaming import events
from tests.support.brokers import PRISM, kafka_broker, produce
from tests.support.stream_jobs import needs_kafka, needs_prism

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)
JOBS = sorted(path.stem for path in (ROOT / "pipelines").glob("*.py") if "run_job(main)" in path.read_text())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make run` was run: the demo script itself, with fewer events."""
    folder = tmp_path_factory.mktemp("readme")
    environment = {**os.environ, "DEMO": "demo", "EVENTS": "1500", "PY": sys.executable}
    done = subprocess.run(
        ["sh", str(ROOT / ".demo.sh")], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def sh(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-ec", command], cwd=place, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "block",
    [b for _, b in BLOCKS if "make run" not in b and "pipelines.streaming" not in b],
    ids=lambda b: b.strip()[:40],
)
def test_block_of_the_readme_runs(block: str, place: Path) -> None:
    if block.startswith("import"):
        command = f"python - <<'END'\n{block}END\n"
    else:
        command = block.replace(". .venv/bin/activate\n", "")
    done = sh(command, place)
    assert done.returncode == 0, done.stderr
    assert done.stdout or done.stderr


@needs_kafka
@needs_prism
def test_the_streaming_command_of_the_readme_runs(place: Path, tmp_path: Path) -> None:
    (block,) = (b for _, b in BLOCKS if "pipelines.streaming" in b)
    with kafka_broker(tmp_path / "kafka") as broker:
        broker.create_topic("telemetry")
        produce(broker.servers, "telemetry", events(10))
        command = block.strip().replace("localhost:9092", broker.servers).split()
        keys = next(b for _, b in BLOCKS if "keys create" in b).splitlines()[1]
        assert sh(f"test -d demo/my-keys || {keys}", place).returncode == 0
        path = f"{Path(sys.executable).parent}:{PRISM.parent}:{os.environ['PATH']}"
        job = subprocess.Popen(command, cwd=place, env={**os.environ, "PATH": path}, stderr=subprocess.PIPE, text=True)
        assert job.stderr is not None
        assert any("going on from" in line for line in job.stderr)
        job.kill()
        job.wait()
    assert list((place / "demo" / "streamed").glob("_stream-*.json"))


def test_make_run_ends_with_datasets_balanced_books_and_the_next_command(place: Path) -> None:
    printed = (place / "printed.txt").read_text()
    assert printed.count("the books balance") == 2
    assert (place / "demo" / "report.html").read_text().startswith("<!doctype html>")
    for dataset in (*EVENT_DATASETS, "suggestions", "acceptance", "ledger"):
        assert re.search(rf"^  {dataset} +\d+ files", printed, re.MULTILINE)
    commands = printed.partition("try next:\n")[2].strip().splitlines()
    assert len(commands) == 2
    for command in commands:
        done = sh(command, place)
        assert done.returncode == 0, done.stderr
        assert "python" in done.stdout


def test_make_targets_named_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z_]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_of_the_readme_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_steps_bear_one_name() -> None:
    section = README.partition("## How it works")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([A-Z][A-Za-z]+) \|", section, re.MULTILINE)
    page = (ROOT / "pipelines" / "ingest.py").read_text()
    for step in rows:
        module = re.sub(r"(?<!^)([A-Z])", r"_\1", step).lower()
        assert f"class {step}(beam.PTransform)" in (ROOT / "transforms" / "steps" / f"{module}.py").read_text()
        assert step in page
    assert len(rows) == 10


def test_jobs_are_those_that_a_contract_keeps_apart() -> None:
    """A job that the contract does not know could import others."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (apart,) = (c for c in contracts if c["name"] == "jobs do not import jobs")
    assert apart["modules"] == [f"pipelines.{job}" for job in JOBS]
    assert len(JOBS) >= 9


@pytest.mark.parametrize("job", JOBS)
def test_help_is_enough(job: str) -> None:
    done = sh(f"python -m pipelines.{job} --help", ROOT)
    assert done.returncode == 0
    assert f"| `pipelines.{job}` |" in README
    assert len(done.stdout) > 200


@pytest.mark.parametrize("job", JOBS)
def test_unknown_flag_is_one_line_and_exit_code_1(job: str) -> None:
    done = sh(f"python -m pipelines.{job} --no_such_flag=1", ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
