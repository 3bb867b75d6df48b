"""The engine behind `--job_endpoint`: asked which it is before anything is written, and heard by its errors alone."""

import logging
from contextlib import closing

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from schemas.errors import RunnerUnavailable

FLINK, SPARK, OTHER = "Flink", "Spark", "another engine"
_EMBEDDED = "embed"  # Beam's word for a job service in this process
_OPTION_OF = {"flink_master": FLINK, "spark_master": SPARK}
_ANSWERS_S = 20.0


def engine_behind(endpoint: str) -> str:
    """FLINK, SPARK, or OTHER for Prism and Beam's own job service, which name no options of theirs.

    Raises RunnerUnavailable where nothing answers: Beam itself would try for five minutes and more.
    """
    if endpoint == _EMBEDDED:
        return OTHER
    with closing(grpc.insecure_channel(endpoint)) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        request = beam_job_api_pb2.DescribePipelineOptionsRequest()
        try:
            told = stub.DescribePipelineOptions(request, timeout=_ANSWERS_S, wait_for_ready=True)
        except grpc.RpcError as cause:
            raise RunnerUnavailable(
                f"--job_endpoint {endpoint}: no job server answers ({cause.code().name}); allowed is HOST:PORT of one"
            ) from None
    return next((_OPTION_OF[option.name] for option in told.options if option.name in _OPTION_OF), OTHER)


def leave_out_messages() -> None:
    """A job's errors come back as exceptions; Beam also logs what the engine tells of them, page after page, and by the
    root logger, so that no level of Beam's own loggers holds it back.
    """
    logging.getLogger().addFilter(_is_no_message)  # at most once: it is the same function each time


def _is_no_message(record: logging.LogRecord) -> bool:
    return record.module != "portable_runner"
