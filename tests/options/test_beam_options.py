"""Flags of jobs on Beam: every unknown one is refused, and no runner gets to see a job's own."""

from datetime import timedelta

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, WorkerOptions

from pipelines.batch import BatchOptions
from pipelines.options.beam_options import parse_pipeline_options
from schemas.errors import InvalidOptions

REQUIRED = ("input", "output", "key_ring")
NEEDED = ["--input=raw", "--output=out", "--key_ring=keys"]


def test_a_jobs_own_flags_and_beams_are_read_together() -> None:
    options = parse_pipeline_options(
        "batch",
        BatchOptions,
        REQUIRED,
        [*NEEDED, "--input=more", "--lookback=90s", "--runner=FnApiRunner", "--temp_location=t"],
    )
    assert options.input == ["raw", "more"]
    assert options.lookback == timedelta(seconds=90)
    assert options.view_as(StandardOptions).runner == "FnApiRunner"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--lookbck=1h"], "unrecognized arguments: --lookbck=1h"),
        (["--lookb=1h"], "unrecognized arguments: --lookb=1h"),
        (["raw/"], "unrecognized arguments: raw/"),
        (["--lookback=1 h"], "argument --lookback: '1 h': allowed are a whole number"),
        (["--lookback=999999999d"], "argument --lookback: '999999999d': allowed are"),
        (["--buckets=0"], "argument --buckets: '0': allowed is a whole number from 1 to 9999"),
        (["--max_quarantined_share=5"], "argument --max_quarantined_share: '5': allowed is a share"),
        (["--runnr=Direct"], "unrecognized arguments: --runnr"),
        (["--watch"], "unrecognized arguments: --watch"),  # the endless job's
    ],
)
def test_what_is_refused_and_how(more: list[str], told: str) -> None:
    with pytest.raises(InvalidOptions) as found:
        parse_pipeline_options("batch", BatchOptions, REQUIRED, [*NEEDED, *more])
    assert told in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_what_is_required_and_missing_is_named(left_out: int) -> None:
    argv = [flag for place, flag in enumerate(NEEDED) if place != left_out]
    with pytest.raises(InvalidOptions, match=f"^required and missing: --{REQUIRED[left_out]}$"):
        parse_pipeline_options("batch", BatchOptions, REQUIRED, argv)


def test_no_runner_sees_a_jobs_own_flags() -> None:
    """A runner sends what it gets to its workers as JSON: a path of keys is nobody's business, a timedelta no JSON."""
    argv = [*NEEDED, "--lookback=90s", "--num_workers=3", "--runner=PrismRunner"]
    passed = parse_pipeline_options("batch", BatchOptions, REQUIRED, argv).for_runner()
    own = {"input", "output", "key_ring", "lookback", "geo_database", "known_values", "max_unprocessable"}
    assert not own & {*passed.get_all_options(drop_default=False)}
    assert not any("keys" in str(value) for value in passed.get_all_options(drop_default=True).values())
    assert passed.view_as(WorkerOptions).num_workers == 3


def test_what_was_set_after_parsing_goes_along() -> None:
    options = parse_pipeline_options("batch", BatchOptions, REQUIRED, NEEDED)
    options.view_as(StandardOptions).runner = "FnApiRunner"
    assert options.for_runner().view_as(StandardOptions).runner == "FnApiRunner"
    assert not isinstance(options.for_runner(), BatchOptions)
    assert isinstance(options.for_runner(), PipelineOptions)
