"""docs/deploy/Containerfile: linted, and its build followed step by step in a clean folder."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from apache_beam.version import __version__ as beam_version
from dockerfile_parse import DockerfileParser

from tests.deploy.test_kubernetes import FOLDER, containers_of_ours
from tests.support.beam_servers import beam_server
from tests.support.servers import free_port
from tests.support.wheels import closure, link

pytestmark = pytest.mark.xdist_group("wheel")
FILE = FOLDER / "Containerfile"
ROOT = FOLDER.parents[1]


def stages() -> dict[str, list[dict[str, Any]]]:
    """Its instructions by stage."""
    found: dict[str, list[dict[str, Any]]] = {}
    for step in DockerfileParser(fileobj=FILE.open("rb")).structure:
        if step["instruction"] == "FROM":
            found[step["value"].rpartition(" AS ")[2]] = []
        elif step["instruction"] != "COMMENT":
            found[list(found)[-1]].append(step)
    return found


def test_the_linter_finds_nothing(tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert hadolint is not None
    done = subprocess.run([hadolint, "--failure-threshold=style", FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Containerfile").write_text("FROM python\nRUN cd /tmp && pip install x\n")
    assert subprocess.run([hadolint, tmp_path / "Containerfile"], capture_output=True, check=False).returncode == 1


def test_python_and_beam_are_those_that_start_jobs() -> None:
    """Steps travel pickled, and Beam's protocol has versions."""
    text = FILE.read_text()
    pythons = set(re.findall(r"python:?(3\.\d+)", text))
    assert len(pythons) == 1
    assert re.findall(r"beam_python(3\.\d+)_sdk:([\d.]+)", text) == [(*pythons, beam_version)]


def test_the_steps_of_its_build_make_an_environment_that_works(wheel: Path, tmp_path: Path) -> None:
    """As they stand, in other folders; what the wheel asks for is linked in, not fetched."""
    context, layer = tmp_path / "context", tmp_path / "layer"
    context.mkdir()
    shutil.copy(wheel, context)
    shutil.copy(ROOT / ".requirements.lock", context / "lock")
    page = (ROOT / "docs" / "deploy.md").read_text()
    (command,) = re.findall(r"^(sed .*> constraints\.txt)$", page, re.MULTILINE)
    subprocess.run(["sh", "-ec", command.replace(".requirements.lock", "lock")], cwd=context, check=True)
    assert f"apache-beam=={beam_version}\n" in (context / "constraints.txt").read_text()
    for step in stages()["build"]:
        if step["instruction"] == "COPY":
            *names, to = shlex.split(step["value"])
            into = layer / to.strip("/")
            into.mkdir(parents=True)
            for name in names:
                (one,) = context.glob(name)
                shutil.copy(one, into)
        else:
            assert step["instruction"] == "RUN"
            run = re.sub(r"(?<![\w.])/(?=opt/|wheel/)", f"{layer}/", step["value"])
            (layer / "opt").mkdir(exist_ok=True)
            environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            environment |= {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}
            done = subprocess.run(["sh", "-ec", run], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    check_worker(layer / "opt" / "telemetry", tmp_path)


def check_worker(environment: Path, tmp_path: Path) -> None:
    """The command of the worker's image, and that of a job, run from what the build made."""
    (site,) = environment.glob("lib/python*/site-packages")
    (metadata,) = site.glob("suggestion_telemetry*.dist-info/METADATA")
    installed = {path.name for path in site.iterdir()}
    asked_for = closure(re.findall(r"^Requires-Dist: (.*)$", metadata.read_text(), re.MULTILINE))
    link({name: found for name, found in asked_for.items() if found._path.name not in installed}, site)  # type: ignore[attr-defined]
    env = {"PATH": f"{environment}/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "HOME": str(tmp_path)}
    done = subprocess.run(["suggestion-telemetry", "--help"], env=env, cwd=tmp_path, capture_output=True, text=True,
                          check=False, executable=environment / "bin" / "suggestion-telemetry")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    (command,) = (yaml.safe_load(s["value"]) for s in stages()["worker"] if s["instruction"] == "CMD")
    python, _, module, flag = command
    port = free_port()
    with beam_server(
        str(environment / "bin" / python),
        module,
        f"{flag.partition('=')[0]}={port}",
        port=port,
        folder=tmp_path,
        env=env,
    ):
        socket.create_connection(("localhost", port), 5).close()


def test_the_worker_is_what_the_manifests_start_as_nobody() -> None:
    worker = {step["instruction"]: step["value"] for step in stages()["worker"]}
    (workers,) = (c for c in containers_of_ours() if c["name"] == "workers")
    assert yaml.safe_load(worker["CMD"]) == workers["args"]
    assert worker["USER"] == f"{workers['securityContext']['runAsUser']}:10001"
    assert "PATH=/opt/telemetry/bin:" in worker["ENV"]
    assert worker["COPY"].split()[1:] == ["/opt/telemetry", "/opt/telemetry"]
