"""A job for Dataflow, built offline by Beam's own runner: what would be sent tells no secret and no path of ours."""

import base64
import bz2
import getpass
import json
import os
import re
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.conftest import KEY_RING, sample
from tests.support.servers import BUCKET, gcs_server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text()
SUBMIT = """
import runpy
from pathlib import Path
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
from apache_beam.runners.dataflow.internal import apiclient

dry_run = DataflowRunner.run_pipeline

def kept(self, pipeline, options, *more):
    result = dry_run(self, pipeline, options, *more)
    job = apiclient.Environment([], options, "3", "gs://telemetry/tmp/pipeline.pb", self.proto_pipeline).proto
    Path("graph").write_bytes(self.proto_pipeline.SerializeToString())
    Path("job").write_text(str(job))
    Path("artifacts").write_text(str([e.dependencies for e in self.proto_pipeline.components.environments.values()]))
    raise SystemExit(0)

DataflowRunner.run_pipeline = kept
runpy.run_module("pipelines.batch", run_name="__main__", alter_sys=True)
"""
"""As `python -m pipelines.batch` does it, where the job's module is `__main__`."""


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's own command, and --dry_run; in a folder, with a home, that would be noticed."""
    folder = tmp_path_factory.mktemp("of-the-submitter")
    (command,) = re.findall(r"```sh\n(suggestion-telemetry batch [^`]*DataflowRunner[^`]*)```", PAGE)
    flags = command.replace("\\\n", " ").replace("gs://example-", f"gs://{BUCKET}/").split()[2:]
    with gcs_server(folder) as environment:
        os.environ |= environment
        store = fsspec.filesystem("gs", use_listings_cache=False)
        store.pipe_file(f"{BUCKET}/raw/2026-03-29/a.ndjson.gz", json.dumps(sample()).encode() + b"\n")
        store.pipe_file(f"{BUCKET}/keys/ring.json", Path(KEY_RING, "ring.json").read_bytes())
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SUBMIT, *flags, "--dry_run=true", "--no_auth"], cwd=folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        for name in environment:
            del os.environ[name]
    assert done.returncode == 0, done.stderr
    return folder


def opened(data: bytes) -> Iterator[bytes]:
    """The bytes, and those of all pickles in them, which Beam compresses and writes as base64."""
    yield data
    for found in re.findall(rb"(?:QlpoOT|eN[o-z])[A-Za-z0-9+/]{20,}={0,2}", data):
        packed = base64.b64decode(found)
        yield from opened(bz2.decompress(packed) if packed.startswith(b"BZh") else zlib.decompress(packed))


def everything(submitted: Path) -> bytes:
    return b"\n".join([*opened((submitted / "graph").read_bytes()), (submitted / "job").read_bytes()])


def secrets_of(ring: Any) -> Iterator[str]:
    if isinstance(ring, dict | list):
        for part in ring.values() if isinstance(ring, dict) else ring:
            yield from secrets_of(part)
    elif isinstance(ring, str) and len(ring) >= 32:
        yield ring


def test_the_steps_are_there_and_the_search_sees_into_them(submitted: Path) -> None:
    found = everything(submitted)
    for step in (b"ReadPayloads", b"SealBatches", b"WriteDatasets"):
        assert step in found
    assert f"gs://{BUCKET}/datasets".encode() in found  # it stands in pickled steps alone
    assert f"gs://{BUCKET}/keys".encode() in found
    assert b"registry.example/telemetry-dataflow:0.1.0" in found


def test_no_secret_is_in_it(submitted: Path) -> None:
    found = everything(submitted)
    secrets = [*secrets_of(json.loads(Path(KEY_RING, "ring.json").read_bytes()))]
    assert len(secrets) > 5
    for text in secrets:
        forms = [text.encode()]
        if re.fullmatch(r"(?:[0-9a-f]{2})+", text):
            forms.append(bytes.fromhex(text))
        else:
            forms.append(base64.b64decode(text + "=" * (-len(text) % 4)))
        assert not any(form in found for form in forms)


def test_no_path_and_no_name_of_the_submitter_is_in_it(submitted: Path) -> None:
    found = everything(submitted)
    for path in (submitted, ROOT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable), Path.home()):
        assert str(path).encode() + b"/" not in found, path
        assert str(path.resolve()).encode() + b"/" not in found, path
    assert re.findall(rb"(?<!telemetry)/(?:home|root|tmp|work|Users)/[\w./-]*", found) == []
    assert socket.gethostname().encode() not in re.findall(rb"[\w.-]+", found)
    assert getpass.getuser().encode() not in re.findall(rb"[\w.-]+", found)


def test_nothing_is_pickled_as_main(submitted: Path) -> None:
    """What is defined in the module that was started would travel by value, or not be found by a worker."""
    assert b"__main__" not in everything(submitted)


def test_no_file_of_the_submitter_goes_along(submitted: Path) -> None:
    assert (submitted / "artifacts").read_text() == "[[]]"


def test_options_of_the_job_are_those_of_beam_alone(submitted: Path) -> None:
    told = set(re.findall(r'key: "(\w+)"', (submitted / "job").read_text()))
    assert {"temp_location", "sdk_container_image"} <= told
    assert not {"key_ring", "lookback", "geo_database", "input", "output"} & told
