"""The batch job on runners that are other processes: the same rows as here, on Beam's own job service and on Prism."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipelines.streams.prism import prism
from tests.conftest import KEY_RING, all_rows, run_batch
from tests.support.beam_servers import beam_server
from tests.support.generated import generated_raw
from tests.support.servers import free_port
from tests.support.stream_jobs import found_prism

ENDS = "the books balance"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{os.getcwd()}:{os.environ.get('PYTHONPATH', '')}",
               "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # fmt: skip
"""The pool of workers starts whatever `python` is."""


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated_raw(tmp_path_factory, 1_500, seed=8)


@pytest.fixture(scope="module")
def landed(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("landed") / "out"
    run_batch(raw, output)
    return output


@pytest.fixture(scope="module")
def job_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    module = "apache_beam.runners.portability.local_job_service_main"
    folder = tmp_path_factory.mktemp("jobs")
    with beam_server(sys.executable, module, f"--port={port}", port=port, folder=folder, env=ENVIRONMENT):
        yield f"--job_endpoint=localhost:{port}"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Workers in processes of their own, in another folder than the job."""
    port = free_port()
    module = "apache_beam.runners.worker.worker_pool_main"
    folder = tmp_path_factory.mktemp("workers")
    with beam_server(sys.executable, module, f"--service_port={port}", port=port, folder=folder, env=ENVIRONMENT):
        yield f"--environment_config=localhost:{port}"


def run(raw: Path, output: Path, *flags: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The job as a command, with paths as a person types them: relative."""
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.batch", f"--input={os.path.relpath(raw, cwd)}",
               f"--output={os.path.relpath(output, cwd)}", f"--key_ring={os.path.relpath(KEY_RING, cwd)}", "--buckets=4", "--shared_filesystem"]  # fmt: skip
    return subprocess.run(
        [*command, *flags], capture_output=True, text=True, check=False, cwd=cwd, env=ENVIRONMENT, timeout=100
    )


def assert_same(raw: Path, landed: Path, tmp_path: Path, *flags: str) -> None:
    done = run(raw, tmp_path / "out", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ENDS in done.stdout
    assert not done.stderr
    assert all_rows(tmp_path / "out") == all_rows(landed)


def test_direct_runner(raw: Path, landed: Path, tmp_path: Path) -> None:
    """With `--runner=DirectRunner` Beam tries Prism first, and then FnApiRunner; a Prism that is none ends that."""
    assert_same(raw, landed, tmp_path, "--runner=DirectRunner", "--prism_location=/nonexistent")


def test_direct_runner_that_finds_prism(raw: Path, landed: Path, tmp_path: Path) -> None:
    location = found_prism()
    assert_same(raw, landed, tmp_path, "--runner=DirectRunner", f"--prism_location={location}")
    left = [p for p in psutil.process_iter(["cmdline", "ppid"]) if (p.info["cmdline"] or [""])[0] == location]
    assert not [process for process in left if process.info["ppid"] == 1]


def test_job_service_with_workers_in_the_job_itself(raw: Path, landed: Path, tmp_path: Path, job_service: str) -> None:
    assert_same(raw, landed, tmp_path, "--runner=PortableRunner", job_service, "--environment_type=LOOPBACK")


def test_job_service_with_workers_elsewhere(
    raw: Path, landed: Path, tmp_path: Path, job_service: str, workers: str
) -> None:
    flags = ("--runner=PortableRunner", job_service, "--environment_type=EXTERNAL", workers)
    assert_same(raw, landed, tmp_path, *flags)


def test_prism_as_a_job_service(raw: Path, landed: Path, tmp_path: Path, workers: str) -> None:
    location = found_prism()
    with prism(location) as endpoint:
        flags = ("--runner=PortableRunner", f"--job_endpoint={endpoint}", "--environment_type=EXTERNAL", workers)
        assert_same(raw, landed, tmp_path, *flags)


def test_what_fails_in_a_worker_elsewhere_is_one_line(
    raw: Path, tmp_path: Path, job_service: str, workers: str
) -> None:
    flags = ("--runner=PortableRunner", job_service, "--environment_type=EXTERNAL", workers)
    (tmp_path / "out" / "displays").parent.mkdir()
    (tmp_path / "out" / "displays").write_text("a file where a folder must be")
    done = run(raw, tmp_path / "out", *flags, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot ")
    assert done.stderr.count("\n") == 1


def test_no_flag_of_ours_reaches_a_runner() -> None:
    from pipelines.batch import BatchOptions

    given = ["--input=a", "--output=b", "--key_ring", "c", "--lookback=2h", "--runner", "DirectRunner", "--streaming"]
    options = BatchOptions(given).for_runner().get_all_options(retain_unknown_options=True)
    assert not {"input", "output", "key_ring", "lookback", "geo_database"} & set(options)
    assert options["runner"] == "DirectRunner"
    assert options["streaming"] is True
