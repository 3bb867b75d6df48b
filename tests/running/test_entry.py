"""`suggestion-telemetry JOB` is `python -m pipelines.JOB`, word for word; as the wheel installs it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.running.entry import jobs
from tests.conftest import KEY_RING, sample, write_lines
from tests.support.wheels import ROOT, CleanEnvironment

pytestmark = pytest.mark.xdist_group("wheel")
JOBS = sorted(path.stem for path in (ROOT / "pipelines").glob("*.py") if "run_job(main)" in path.read_text())


def both(clean: CleanEnvironment, cwd: Path, job: str, *flags: str) -> list[subprocess.CompletedProcess[str]]:
    module = [clean.python, "-W", "ignore", "-m", f"pipelines.{job}"]
    return [clean.run(*command, *flags, cwd=cwd) for command in ([clean.command, job], module)]


def test_its_jobs_are_the_modules_with_a_line_each() -> None:
    assert list(jobs()) == JOBS
    assert all(line.endswith(".") for line in jobs().values())


def test_help_names_every_job_and_imports_none() -> None:
    """Beam takes two seconds to be imported."""
    code = (
        "import sys\nsys.argv = ['suggestion-telemetry', '--help']\nfrom pipelines.running.entry import main\nmain()\n"
        "assert not {'apache_beam', 'pyarrow', 'duckdb', 'pipelines.keys'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for job, line in jobs().items():
        assert f"  {job} " in done.stdout
        assert line in done.stdout


def test_without_a_job_it_says_how(clean: CleanEnvironment, tmp_path: Path) -> None:
    told = [clean.run(clean.command, *flags, cwd=tmp_path) for flags in ([], ["--help"], ["-h"])]
    assert {(done.returncode, done.stderr) for done in told} == {(0, "")}
    assert len({done.stdout for done in told}) == 1


@pytest.mark.parametrize("word", ["bathc", "ingest", "options", "__init__", "--version", "../batch", ""])
def test_what_is_no_job_is_one_line(clean: CleanEnvironment, tmp_path: Path, word: str) -> None:
    done = clean.run(clean.command, word, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {word!r} is no job; allowed are {', '.join(JOBS)}\n"


@pytest.mark.parametrize("job", ["batch", "keys"])
def test_help_of_a_job_names_the_command_that_was_typed(clean: CleanEnvironment, tmp_path: Path, job: str) -> None:
    ours, module = both(clean, tmp_path, job, "--help")
    assert ours.returncode == module.returncode == 0
    assert ours.stdout.startswith(f"usage: suggestion-telemetry {job} ")
    assert module.stdout.startswith(f"usage: python -m pipelines.{job} ")
    assert ours.stdout.partition("\n\n")[2] == module.stdout.partition("\n\n")[2]


@pytest.mark.parametrize(
    ("job", "flags"),
    [
        ("batch", ["--no_such_flag=1"]),
        ("batch", ["--input=nowhere", "--output=out", f"--key_ring={KEY_RING}"]),
        ("verify", ["--datasets=nowhere"]),
        ("keys", ["create"]),
    ],
)
def test_errors_and_exit_codes_are_the_same(
    clean: CleanEnvironment, tmp_path: Path, job: str, flags: list[str]
) -> None:
    ours, module = both(clean, tmp_path, job, *flags)
    assert (ours.returncode, ours.stdout, ours.stderr) == (module.returncode, module.stdout, module.stderr)
    assert ours.returncode == 1
    assert ours.stderr.startswith("error: ")


def test_a_run_without_use_ends_with_3(clean: CleanEnvironment, tmp_path: Path) -> None:
    write_lines(tmp_path / "raw.ndjson", [b"no event"] * 3)
    flags = ["--input=raw.ndjson", "--output=out", f"--key_ring={KEY_RING}"]
    ours, module = both(clean, tmp_path, "batch", *flags)
    assert (ours.returncode, ours.stderr) == (module.returncode, module.stderr)
    assert ours.returncode == 3


def test_ctrl_c_is_one_line_from_the_first_moment_on(clean: CleanEnvironment, tmp_path: Path) -> None:
    write_lines(tmp_path / "raw.ndjson", [sample()])
    command = [clean.command, "batch", "--input=raw.ndjson", "--output=out", f"--key_ring={KEY_RING}"]
    for wait_s in (0.3, 0.8):  # while Beam is being imported
        child = subprocess.Popen(command, cwd=tmp_path, env=clean.env, stderr=subprocess.PIPE, text=True)
        time.sleep(wait_s)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=30)
        assert (child.returncode, told) == (130, "interrupted; run it again to make it whole\n")
