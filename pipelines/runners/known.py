"""The runners of Beam: which are known to be right for which job, and why the others are refused.

Known to be right means: the same rows as a run on one machine, also when workers were killed, seen in a test. What is
not in `_RIGHT` is refused by name, so that a runner of a later Beam is refused until somebody has tried it.
"""

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from schemas.errors import InvalidOptions

BATCH, STREAMING = "batch", "streaming"

DEFAULTS = {BATCH: "FnApiRunner", STREAMING: "PrismRunner"}
"""The runner of a job where none is named."""

_RIGHT = {
    BATCH: (
        "FnApiRunner", "DirectRunner", "SwitchingDirectRunner", "PrismRunner", "FlinkRunner", "PortableRunner",
        "DataflowRunner",
    ),
    STREAMING: ("PrismRunner", "FlinkRunner", "PortableRunner"),
}  # fmt: skip

_ON_FLINK = "use --runner=FlinkRunner with --job_endpoint=HOST:PORT of Flink's job server"
_HERE = "leave --runner out for all of one machine"
_NO_ENDLESS = "it does not run endless jobs with timers; leave --runner out for Prism, or " + _ON_FLINK

_WHY_NOT = {
    "DaskRunner": f"it drops what steps emit in finish_bundle (Beam 2.77), here every sealed row; {_ON_FLINK}",
    "SparkRunner": "it fetches a job server of its own; use --runner=PortableRunner with --job_endpoint=HOST:PORT of "
    "Spark's job server",
    "InteractiveRunner": f"it is for notebooks and keeps what passes between steps on disk; {_HERE}",
    "BundleBasedDirectRunner": f"it is Beam's old one and was never held against a run's books; {_HERE}",
    "KafkaStreamsRunner": f"it is an experiment of no Beam release; {_ON_FLINK}",
    "TestDirectRunner": f"it is for tests of Beam itself; {_HERE}",
    "TestDataflowRunner": "it is for tests of Beam itself; use DataflowRunner",
    "PythonRPCDirectRunner": f"Beam names it and does not have it any more; {_HERE}",
    "RenderRunner": f"it draws the graph and runs nothing; {_HERE}",
    "TrivialRunner": f"it holds everything in memory, as an example; {_HERE}",
    "RayRunner": f"nobody has tried it; {_ON_FLINK}",
}
"""What Beam 2.77 lists or has, and what people look for in it."""

_NAMES = {name.lower(): name for name in (*_RIGHT[BATCH], *_WHY_NOT)}


def runner_of(options: PipelineOptions, job: str) -> str:
    """The runner's name as it stands in this module, set in the options; the job's default where none is named.

    Raises InvalidOptions where it is not known to be right for the job, and says what to use instead.
    """
    standard = options.view_as(StandardOptions)
    given = standard.runner or DEFAULTS[job]
    name = canonical(given)
    if name not in _RIGHT[job]:
        raise InvalidOptions(f"--runner={given}: {_reason(name, job)}")
    standard.runner = name
    return name


def canonical(given: str) -> str:
    """A runner's name as Beam understands it: any case, with or without `Runner`, or the path of a class of Beam's."""
    name = given.rpartition(".")[2] if given.startswith("apache_beam.") else given
    return _NAMES.get(name.lower(), _NAMES.get(f"{name.lower()}runner", name))


def _reason(name: str, job: str) -> str:
    if name in _RIGHT[BATCH] and job == STREAMING:
        return _NO_ENDLESS
    allowed = f"allowed are {', '.join(_RIGHT[job])}"
    return f"{_WHY_NOT[name]}" if name in _WHY_NOT else f"it is not known to lose no rows; {allowed}"
