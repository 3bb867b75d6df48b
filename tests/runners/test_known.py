"""Runners: what is known to be right is taken, everything else is refused in one line that says what to use."""

import re
from pathlib import Path

import apache_beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines.runners.known import BATCH, DEFAULTS, STREAMING, canonical, runner_of
from schemas.errors import InvalidOptions

RIGHT_IN_BATCH = {
    "FnApiRunner", "DirectRunner", "SwitchingDirectRunner", "PrismRunner", "FlinkRunner", "PortableRunner",
    "DataflowRunner",
}  # fmt: skip
RIGHT_IN_STREAMING = {"PrismRunner", "FlinkRunner", "PortableRunner"}


def beams_own() -> list[str]:
    """Every class of Beam's package that is named as a runner of pipelines, and what its help lists."""
    found = set(StandardOptions.KNOWN_RUNNER_NAMES)
    for path in (Path(apache_beam.__file__).parent / "runners").rglob("*.py"):
        if not path.name.endswith("_test.py"):
            found |= set(re.findall(r"^class (\w+Runner)\(", path.read_text(), re.MULTILINE))
    return sorted(found - {"PipelineRunner"})


def told(name: str, job: str) -> str:
    with pytest.raises(InvalidOptions) as refused:
        runner_of(PipelineOptions([f"--runner={name}"]), job)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_beam_lists_what_it_listed() -> None:
    assert {"DaskRunner", "InteractiveRunner", "SparkRunner", "RenderRunner", "TrivialRunner"} < set(beams_own())


@pytest.mark.parametrize("name", beams_own())
def test_each_runner_of_beam_is_right_or_refused_with_its_own_reason(name: str) -> None:
    for job, right in ((BATCH, RIGHT_IN_BATCH), (STREAMING, RIGHT_IN_STREAMING)):
        if name in right:
            options = PipelineOptions([f"--runner={name}"])
            assert runner_of(options, job) == options.view_as(StandardOptions).runner == name
        else:
            line = told(name, job)
            assert line.startswith(f"--runner={name}: ")
            assert "use " in line or "leave --runner out" in line


@pytest.mark.parametrize("job", [BATCH, STREAMING])
@pytest.mark.parametrize(
    "name", ["DaskRunner", "dask", "daskrunner", "apache_beam.runners.dask.dask_runner.DaskRunner"]
)
def test_dask_is_refused_with_the_reason(name: str, job: str) -> None:
    line = told(name, job)
    assert "it drops what steps emit in finish_bundle" in line
    assert "use --runner=FlinkRunner" in line


@pytest.mark.parametrize(
    "name", ["mine.OwnRunner", "OwnRunner", "elsewhere.DirectRunner", "", "Runner", "apache_beam."]
)
def test_what_nobody_knows_is_refused_with_what_is_allowed(name: str) -> None:
    if name:
        assert "it is not known to lose no rows; allowed are FnApiRunner, " in told(name, BATCH)
    else:
        assert runner_of(PipelineOptions([]), BATCH) == DEFAULTS[BATCH]


@pytest.mark.parametrize(
    ("given", "name"),
    [("direct", "DirectRunner"), ("FLINK", "FlinkRunner"), ("flinkrunner", "FlinkRunner"), ("prism", "PrismRunner"),
     ("apache_beam.runners.portability.fn_api_runner.FnApiRunner", "FnApiRunner")],
)  # fmt: skip
def test_names_are_taken_as_beam_takes_them(given: str, name: str) -> None:
    options = PipelineOptions([f"--runner={given}"])
    assert canonical(given) == runner_of(options, BATCH) == options.view_as(StandardOptions).runner == name


def test_without_one_the_jobs_own_is_taken() -> None:
    assert runner_of(PipelineOptions([]), BATCH) == "FnApiRunner"
    assert runner_of(PipelineOptions([]), STREAMING) == "PrismRunner"


@pytest.mark.parametrize("name", sorted(RIGHT_IN_BATCH - RIGHT_IN_STREAMING))
def test_what_is_right_in_batch_alone_is_refused_for_endless_jobs(name: str) -> None:
    assert "it does not run endless jobs with timers" in told(name, STREAMING)
