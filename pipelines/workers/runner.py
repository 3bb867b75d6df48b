"""Beam's runner of one machine, its bundles dealt to processes.

Beam's own way to several processes (2.77) starts an interpreter for each, opens ports on every interface for them,
sends the shuffle through this process at 45 MB a second, and divides a stage's input among workers before any of
them has begun: where files differ, the last one works while the others wait. Here each part of the input is a bundle
of its own, and whoever is free takes the next.
"""

import copy
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2, endpoints_pb2
from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer
from apache_beam.runners.portability.fn_api_runner.fn_runner import BundleManager, FnApiRunner, ParallelBundleManager
from apache_beam.runners.portability.fn_api_runner.worker_handlers import ControlFuture, WorkerHandler
from apache_beam.runners.worker.data_plane import InMemoryDataChannel

from pipelines.workers.orders import Order
from pipelines.workers.processes import Worker, Workers

_EMBEDDED = python_urns.EMBEDDED_PYTHON


class _Handler(WorkerHandler):
    """What the runner has of a worker process: it stands where the handler of a worker in this process would."""

    def __init__(self, idle: Iterator[Worker], _payload: Any, state: Any, provision_info: Any, manager: Any) -> None:
        super().__init__(self, InMemoryDataChannel(), state, provision_info)
        self.control_conn = self
        self.data_conn = self.data_plane_handler
        self._worker = next(idle)
        self._stages = manager._process_bundle_descriptors
        self._known: set[str] = set()

    def push(self, request: beam_fn_api_pb2.InstructionRequest) -> ControlFuture:
        """Has a bundle done, and lays what it made where the runner looks for it."""
        bundle, theirs = request.instruction_id, self.data_conn.inverse()
        stage = request.process_bundle.process_bundle_descriptor_id
        new = [] if stage in self._known else [self._stages[stage].SerializeToString()]
        self._known.add(stage)
        elements = [element.SerializeToString() for element in theirs.input_elements(bundle, ())]
        done = self._worker.do(Order(new, request.SerializeToString(), elements))
        for element in map(beam_fn_api_pb2.Elements.Data.FromString, done.elements):
            stream = theirs.output_stream(bundle, element.transform_id)
            stream.write(element.data)
            stream.close()
        return ControlFuture(bundle, beam_fn_api_pb2.InstructionResponse.FromString(done.response))

    def start_worker(self) -> None:
        """It runs already."""

    def stop_worker(self) -> None:
        """It is ended by who started it."""

    def data_api_service_descriptor(self) -> endpoints_pb2.ApiServiceDescriptor:
        """Something, as Beam's own handler of this kind has it."""
        return endpoints_pb2.ApiServiceDescriptor(url="fake")

    def state_api_service_descriptor(self) -> None:
        """None: the job's steps have no state."""

    def logging_api_service_descriptor(self) -> None:
        """None: workers log nothing."""


class _DealtBundles(ParallelBundleManager):
    """Deals the parts of a stage's input to the workers, one after another, in order."""

    def process_bundle(self, inputs: Mapping[str, Any], *of_stage: Any) -> tuple[Any, list[Any]]:
        """Beam's response for all parts together; raises what the first part that failed has raised."""
        parts = _parts(inputs)
        waiting, answers = SimpleQueue[Any](), SimpleQueue[Any]()
        for part in parts:
            waiting.put(part)
        for handler in self.bundle_context_manager.worker_handlers:
            bundles = BundleManager(
                _with_worker(self.bundle_context_manager, handler), cache_token_generator=self._cache_token_generator
            )
            threading.Thread(target=_take, args=(waiting, answers, bundles, of_stage), daemon=True).start()
        found = []
        for _ in parts:
            answer = answers.get()
            if isinstance(answer, Exception):
                raise answer  # the others take no more: their workers end with the job
            found.append(answer.process_bundle.monitoring_infos)
        merged = beam_fn_api_pb2.ProcessBundleResponse(monitoring_infos=monitoring_infos.consolidate(chain(*found)))
        return beam_fn_api_pb2.InstructionResponse(process_bundle=merged), []


def _take(waiting: SimpleQueue[Any], answers: SimpleQueue[Any], bundles: BundleManager, of_stage: Any) -> None:
    """One worker's bundles, until no part waits or one has failed."""
    try:
        while True:
            answers.put(bundles.process_bundle(waiting.get_nowait(), *of_stage)[0])
    except Empty:
        return
    except Exception as error:  # noqa: BLE001 - raised in the thread that waits for it
        answers.put(error)


def _parts(inputs: Mapping[str, Any]) -> list[dict[str, list[bytes]]]:
    """Each key's group by itself; what comes of no shuffle is one part."""
    count = max(len(buffer._table) if isinstance(buffer, GroupingBuffer) else 1 for buffer in inputs.values())
    dealt = {name: buffer.partition(max(count, 1)) for name, buffer in inputs.items()}
    return [{name: parts[n] for name, parts in dealt.items()} for n in range(max(count, 1))]


def _with_worker(context: Any, handler: Any) -> Any:
    """The stage, as if it had this worker alone."""
    of_one = copy.copy(context)
    of_one._worker_handlers = [handler]
    return of_one


class WorkersRunner(FnApiRunner):
    """Runs a pipeline in worker processes."""

    def __init__(self, workers: Workers) -> None:
        super().__init__()
        self._workers = workers

    def run_via_runner_api(self, pipeline_proto: Any, options: Any) -> Any:
        """Like the runner's own; it reads the number of workers from the options, which say what a person gave."""
        self._num_workers = len(self._workers.all)
        return super().run_via_runner_api(pipeline_proto, options)

    def run_stages(self, stage_context: Any, stages: list[Any]) -> Any:
        """Like the runner's own."""
        with _handled_by(partial(_Handler, iter(self._workers.all))):
            return super().run_stages(stage_context, stages)

    def _get_bundle_manager(self, bundle_context_manager: Any) -> BundleManager:
        tokens = FnApiRunner.get_cache_token_generator(static=False)
        return _DealtBundles(bundle_context_manager, cache_token_generator=tokens)


def runner_of(workers: Workers) -> FnApiRunner | None:
    """The runner of these processes; None where there are none, and the job's options name it."""
    return WorkersRunner(workers) if workers.all else None


@contextmanager
def _handled_by(handler: Any) -> Iterator[None]:
    """Beam asks one registry of the process who handles the workers of an environment."""
    registry = WorkerHandler._registered_environments
    before = registry[_EMBEDDED]
    registry[_EMBEDDED] = handler, None
    try:
        yield
    finally:
        registry[_EMBEDDED] = before
