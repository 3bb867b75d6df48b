"""On one machine an endless job is two Python processes: one reads, the other one, the job's own, publishes.

Side by side in one, each kept the other one waiting for the interpreter: of
6,000 events/s windows of 10 s were readable after 1.2 s, with two after 0.8 s,
and 18,000 events/s were kept up with instead of 16,000.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, beam_runner_api_pb2
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.transforms.environments import ExternalEnvironment

from pipelines.running.children import start_ours
from pipelines.running.runner_errors import pipeline_error
from schemas.errors import PipelineError, RunnerUnavailable

_READING = ("ReadLog/", "Ingest/DecodeEvents/", "Ingest/ProtectEvents/", "Ingest/SealBatches/")
_ENVIRONMENT = "reading"


class Reader:
    """The process that reads; it ends with this one."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "pipelines.streams.reader"]
        self._process = start_ours(command, stdout=subprocess.PIPE)

    def work_for(self, control: str, worker_id: str) -> None:
        """Tells it the runner's address and its name there."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{control}\t{worker_id}\n".encode())
        self._process.stdin.flush()

    def failure(self) -> PipelineError | None:
        """What ended it, where it has ended."""
        code = self._process.poll()
        if code is None:
            return None
        assert self._process.stdout is not None
        if line := self._process.stdout.read().strip():
            return pipeline_error(RuntimeError(line.decode()))
        return RunnerUnavailable(f"the process that reads ended with {code}; start again to go on")

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.communicate()


class _Pool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """What Prism asks for the worker that reads; it goes with this process."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def StartWorker(self, request: Any, _: Any) -> Any:
        self._reader.work_for(request.control_endpoint.url, request.worker_id)
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, *_: Any) -> Any:
        return beam_fn_api_pb2.StopWorkerResponse()

    def serve(self) -> str:
        """Begins to answer; gives the address."""
        self._server = grpc.server(ThreadPoolExecutor(max_workers=1))
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("localhost:0")
        self._server.start()
        return f"localhost:{port}"


class TwoProcessRunner(PortableRunner):
    """Runs the steps that read in a Reader, the others in this process."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._pool = _Pool(reader)

    def run_portable_pipeline(self, pipeline: beam_runner_api_pb2.Pipeline, options: Any) -> Any:
        """Like PortableRunner's, with an environment of their own for the steps that read."""
        environments = pipeline.components.environments
        own = next(iter(environments.values()))
        environments[_ENVIRONMENT].CopyFrom(own)
        environments[_ENVIRONMENT].MergeFrom(ExternalEnvironment(self._pool.serve()).to_runner_api(None))
        for step in pipeline.components.transforms.values():
            if step.environment_id and step.unique_name.startswith(_READING):
                step.environment_id = _ENVIRONMENT
        return super().run_portable_pipeline(pipeline, options)
