"""A job's runner before anything is written: what is refused, what is set, and what a runner gets to see."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PortableOptions, StandardOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from pipelines import streaming as streaming_job
from pipelines.batch import BatchOptions
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.options.ingest_flags import Held, paths_of_workers
from pipelines.runners import job_server, prepare
from pipelines.runners.flags import FlinkFlags
from pipelines.runners.job_server import FLINK, OTHER, SPARK, engine_behind
from pipelines.runners.known import BATCH, STREAMING
from pipelines.runners.prepare import PRISM_EXPERIMENT, prepare_runner
from pipelines.streams.flags import StreamingJobOptions
from schemas.errors import InvalidOptions, RunnerUnavailable
from tests.conftest import KEY_RING
from tests.support.servers import free_port
from transforms.core.output.stream_state import StreamState

REMOTE = ["--output=gs://b/out", "--key_ring=s3://k/ring"]
EXTERNAL = ["--environment_type=EXTERNAL", "--environment_config=workers:50000"]


class _Describing(beam_job_api_pb2_grpc.JobServiceServicer):
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def DescribePipelineOptions(self, request: Any, context: Any) -> Any:
        options = [beam_job_api_pb2.PipelineOptionDescriptor(name=name) for name in self._names]
        return beam_job_api_pb2.DescribePipelineOptionsResponse(options=options)


@contextmanager
def server(*names: str) -> Iterator[str]:
    """A job server that says which options it has; a real one of Flink is asked in test_on_flink."""
    running = grpc.server(ThreadPoolExecutor(1))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(_Describing(names), running)
    port = running.add_insecure_port("localhost:0")
    running.start()
    try:
        yield f"localhost:{port}"
    finally:
        running.stop(None)


def batch(*flags: str, where: list[str] = REMOTE) -> Any:
    options: Any = parse_pipeline_options("batch", BatchOptions, (), ["--input=gs://b/raw", *where, *flags])
    prepare_runner(options, BATCH, [("input", p) for p in options.input] + paths_of_workers(options))
    return options


def streaming(*flags: str) -> Any:
    argv = ["--input=kafka://h:1/t", *REMOTE, *flags]
    options: Any = parse_pipeline_options("streaming", StreamingJobOptions, (), argv)
    prepare_runner(options, STREAMING, [("input", options.input), *paths_of_workers(options)])
    return options


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--runner=PortableRunner", "--job_endpoint=h:1"], "EXTERNAL with --environment_config=HOST:PORT of a pool"),
        (["--runner=FlinkRunner", "--flink_master=h:8081"], "--environment_type says where workers run"),
        (["--runner=PortableRunner", *EXTERNAL], "--job_endpoint is missing"),
        (["--runner=PortableRunner", "--environment_type=EXTERNAL"], "--environment_config is missing: HOST:PORT"),
        (["--runner=FlinkRunner", "--environment_type=DOCKER"], "--environment_config is missing: an image"),
        (
            ["--environment_type=external"],
            "--environment_type external: allowed are EXTERNAL, DOCKER, PROCESS, LOOPBACK",
        ),
        (["--flink_rest=localhost:8081"], "allowed is an address as in http://localhost:8081"),
        (["--flink_rest=file:///etc/passwd"], "allowed is an address"),
        (["--flink_rest=http://h:1"], "--flink_rest goes with Flink, and behind --runner=FnApiRunner is none"),
        (["--runner=FlinkRunner", "--output_executable_path=job.jar"], "the job must run from here"),
    ],
)
def test_what_is_refused(flags: list[str], told: str) -> None:
    with pytest.raises(InvalidOptions, match=told) as refused:
        batch(*flags)
    assert "\n" not in str(refused.value)


def test_dataflow_needs_its_packages_and_files_that_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "find_spec", lambda name: None)
    with pytest.raises(InvalidOptions, match=r"pip install 'apache-beam\[gcp\]'"):
        batch("--runner=DataflowRunner")
    monkeypatch.setattr(prepare, "find_spec", lambda name: name)
    batch("--runner=DataflowRunner")
    with pytest.raises(InvalidOptions, match=r"workers run elsewhere \(DataflowRunner\).*--output out, --key_ring k"):
        batch("--runner=DataflowRunner", where=["--output=out", "--key_ring=k"])


@pytest.mark.parametrize(
    "flags",
    [["--checkpointing_interval=0"], ["--number_of_execution_retries=-1"], ["--execution_mode_for_batch=FAST"],
     ["--max_bundle_size=many"], ["--state_backend=disk"], ["--checkpointing_intervall=1"]],
)  # fmt: skip
def test_flinks_flags_are_checked(flags: list[str]) -> None:
    with pytest.raises(InvalidOptions, match=r"argument --|unrecognized arguments"):
        batch(*flags)


def test_local_paths_of_workers_elsewhere_are_refused_by_name_unless_all_see_them() -> None:
    flags = ["--runner=PortableRunner", *EXTERNAL]
    local = ["--output=out", "--key_ring=/keys", "--geo_database=city.mmdb"]
    with server() as endpoint:
        with pytest.raises(InvalidOptions) as refused:
            batch(*flags, f"--job_endpoint={endpoint}", where=local)
        assert "at --output out, --key_ring /keys, --geo_database city.mmdb; allowed are gs://" in str(refused.value)
        batch(*flags, f"--job_endpoint={endpoint}", "--shared_filesystem", where=local)
        batch(*flags, f"--job_endpoint={endpoint}")  # URLs, and the packaged database that each worker has
        batch("--runner=PortableRunner", f"--job_endpoint={endpoint}", "--environment_type=LOOPBACK", where=local)


def test_the_engine_is_asked_what_it_is() -> None:
    for names, engine in ((("flink_master",), FLINK), (("x", "spark_master"), SPARK), ((), OTHER)):
        with server(*names) as endpoint:
            assert engine_behind(endpoint) == engine
    assert engine_behind("embed") == OTHER


def test_an_engine_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_server, "_ANSWERS_S", 0.5)
    with pytest.raises(RunnerUnavailable, match="no job server answers") as refused:
        batch("--runner=FlinkRunner", f"--job_endpoint=localhost:{free_port()}", *EXTERNAL)
    assert "\n" not in str(refused.value)


def test_flink_gets_what_the_user_did_not_give(capsys: pytest.CaptureFixture[str]) -> None:
    with server("flink_master") as endpoint:
        options = batch("--runner=PortableRunner", f"--job_endpoint={endpoint}", *EXTERNAL)
    assert options.for_runner().view_as(PortableOptions).sdk_worker_parallelism == "0"  # Flink: one for each core
    assert options.for_runner().view_as(FlinkRunnerOptions).parallelism == -1
    assert capsys.readouterr().err.startswith("on Flink: without --parallelism or --flink_rest")


def test_what_the_user_gave_stays() -> None:
    with server("flink_master") as endpoint:
        given = ["--sdk_worker_parallelism=1", "--parallelism=3"]
        options = batch("--runner=FlinkRunner", f"--job_endpoint={endpoint}", *EXTERNAL, *given).for_runner()
        where = ["--runner=FlinkRunner", f"--job_endpoint={endpoint}", *EXTERNAL]
        endless = streaming(*where, "--number_of_execution_retries=0", "--checkpointing_interval=9").for_runner()
    assert options.view_as(PortableOptions).sdk_worker_parallelism == "1"
    assert options.view_as(FlinkRunnerOptions).parallelism == 3
    assert endless.view_as(FlinkFlags).number_of_execution_retries == 0
    assert endless.view_as(FlinkFlags).checkpointing_interval == 9


def test_retries_that_flink_would_not_get_are_refused() -> None:
    with server("flink_master") as endpoint:
        for flag in ("--number_of_execution_retries=5", "--execution_retry_delay=1"):
            with pytest.raises(InvalidOptions, match=r"is for endless jobs: in batch .*restart-strategy\.type"):
                batch("--runner=FlinkRunner", f"--job_endpoint={endpoint}", *EXTERNAL, flag)


def test_flink_settings_that_lose_an_endless_jobs_data_cannot_be_left_out() -> None:
    with server("flink_master") as endpoint:
        options = streaming("--runner=PortableRunner", f"--job_endpoint={endpoint}", *EXTERNAL)
    flags: Any = options.for_runner().view_as(FlinkFlags)
    assert flags.finish_bundle_before_checkpointing
    assert (flags.checkpointing_interval, flags.max_bundle_time_mills, flags.number_of_execution_retries) == (
        10_000,
        100,
        20,
    )


@pytest.mark.parametrize(("names", "engine"), [(("spark_master",), SPARK), ((), OTHER)])
def test_endless_jobs_run_on_no_engine_but_flink_and_a_prism_that_splits_nothing(
    names: tuple[str, ...], engine: str
) -> None:
    with server(*names) as endpoint:
        flags = ["--runner=PortableRunner", f"--job_endpoint={endpoint}", *EXTERNAL]
        with pytest.raises(InvalidOptions, match=f"endless jobs run on Flink.*{engine}"):
            streaming(*flags)
        if engine == OTHER:
            streaming(*flags, f"--experiments={PRISM_EXPERIMENT}")


def test_flink_that_is_another_engine_is_refused() -> None:
    with server("spark_master") as endpoint, pytest.raises(InvalidOptions, match="is Spark; use PortableRunner"):
        batch("--runner=FlinkRunner", f"--job_endpoint={endpoint}", *EXTERNAL)


@pytest.mark.parametrize("kind", [BatchOptions, StreamingJobOptions])
def test_no_runner_sees_a_jobs_own_flags(kind: Any) -> None:
    """A runner sends what it gets to its workers as JSON: a path of keys is nobody's business, a timedelta no JSON."""
    argv = ["--input=kafka://h:1/t", "--output=o", "--key_ring=our-ring", "--lookback=90s", "--shared_filesystem",
            "--flink_rest=http://h:1", "--runner=FlinkRunner", "--checkpointing_interval=9", "--known_values=v"]  # fmt: skip
    more = ["--kafka_config=our-login", "--publish_interval=2s"] if kind is StreamingJobOptions else []
    passed = parse_pipeline_options("job", kind, (), [*argv, *more]).for_runner()
    own = {"input", "output", "key_ring", "lookback", "geo_database", "known_values", "shared_filesystem", "flink_rest",
           "kafka_config", "publish_interval", "allowed_lateness", "suggestion_horizon"}  # fmt: skip
    seen = passed.get_all_options(drop_default=False, retain_unknown_options=True)
    assert not own & {*seen}
    assert not any(word in str(seen) for word in ("our-ring", "our-login"))
    assert (seen["checkpointing_interval"], passed.view_as(StandardOptions).runner) == (9, "FlinkRunner")
    assert not isinstance(passed, kind)


def test_the_graph_of_an_endless_job_goes_to_its_runner_without_our_flags(tmp_path: Path) -> None:
    argv = ["--input=kafka://h:1/t", f"--output={tmp_path}", f"--key_ring={KEY_RING}", "--kafka_config=our-login"]
    options: Any = parse_pipeline_options("streaming", StreamingJobOptions, (), argv)
    pipeline = streaming_job.build(options, StreamState(options.output, "0" * 16, 0), Held(16, "", None))
    seen = pipeline._options.get_all_options(retain_unknown_options=True)
    assert not {"input", "output", "key_ring", "kafka_config", "lookback", "publish_interval"} & {*seen}
    json.dumps(seen, default=lambda value: value.get())  # Beam's own value providers; a timedelta has no get
