"""What a worker process does: the bundles of one job, until the job's process ends or lets it go."""

import logging
import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from types import SimpleNamespace
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import EmbeddedWorkerHandler, StateServicer

from pipelines.running.memory import tune_memory
from pipelines.running.progress import figures_of_process
from pipelines.running.runner_errors import pipeline_error
from pipelines.workers.orders import Done, Order

_TELL_S = 0.5


def work(orders: Connection) -> None:
    """Takes orders until None comes, and answers each with a Done or a PipelineError.

    While it works, it tells now and then how far it has come, as Figures. Ends the process.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # what fails is an exception at the job
    tune_memory()
    threading.Thread(target=_end_with_the_job, daemon=True).start()
    answers = threading.Lock()
    threading.Thread(target=_tell_figures, args=(orders, answers), daemon=True).start()
    steps = _Steps()
    while (order := orders.recv()) is not None:
        answer = steps.answer(order)
        with answers:
            orders.send(answer)
    steps.end()
    os._exit(0)  # as `run_job` ends: a thread of a native library may still be up


class _Steps:
    """Beam's worker in this process, as the runner has one in its own."""

    def __init__(self) -> None:
        self._stages: dict[str, Any] = {}
        manager = SimpleNamespace(_process_bundle_descriptors=self._stages)
        self._beams = EmbeddedWorkerHandler(None, StateServicer(), None, manager)

    def answer(self, order: Order) -> Done | Exception:
        try:
            return self._done(order)
        except Exception as error:  # noqa: BLE001 - a step raises anything; it becomes one of ours, which says no more
            return pipeline_error(error)

    def _done(self, order: Order) -> Done:
        for data in order.descriptors:
            stage = beam_fn_api_pb2.ProcessBundleDescriptor.FromString(data)
            self._stages[stage.id] = stage
        request = beam_fn_api_pb2.InstructionRequest.FromString(order.request)
        bundle = request.instruction_id
        for element in map(beam_fn_api_pb2.Elements.Data.FromString, order.elements):
            stream = self._beams.data_conn.output_stream(bundle, element.transform_id)
            stream.write(element.data)
            stream.close()
        response = self._beams.push(request).get()
        made = self._beams.data_conn.input_elements(bundle, ())
        return Done(response.SerializeToString(), [element.SerializeToString() for element in made])

    def end(self) -> None:
        self._beams.stop_worker()


def _end_with_the_job() -> None:
    """A worker whose job was killed must not go on to write."""
    job = parent_process()
    assert job is not None
    wait([job.sentinel])
    os._exit(1)


def _tell_figures(orders: Connection, answers: threading.Lock) -> None:
    told, never = None, threading.Event()
    while not never.wait(_TELL_S):
        figures = figures_of_process()
        if figures != told:
            with answers:
                orders.send(figures)
            told = figures
