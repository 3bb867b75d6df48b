"""`--openlineage`: one event when a run begins and one when it ends, for a catalog of data and jobs.

An event names the job, the run by the name of its record, folders that were read and datasets that were written, with
counts. It names no file and no login. OpenLineage's own client class is not used: it adds the git repository of the
folder in which a job is started, and settings of the environment.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.recording.listener import Listener
from pipelines.recording.record import Place, Record
from schemas.errors import ExitCode, InvalidOptions
from schemas.locations import shown_path
from transforms.core import storage
from transforms.core.output.layout import Output

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent

_NAMESPACE = "suggestion-telemetry"
_HTTP = ("http://", "https://")
_TIMEOUT_S = 5.0
_RETRY = {"total": 2, "connect": 0}
"""A server that is not there is not asked again; one that answers 503 is."""

_ENDS = {ExitCode.DONE: "COMPLETE", ExitCode.NOTHING_TO_DO: "COMPLETE", ExitCode.INTERRUPTED: "ABORT"}


class Lineage(Listener):
    """Sends the events to a server, or adds them to a file as lines; what cannot be sent is said, and no run fails."""

    def __init__(self, target: str, output: Output) -> None:
        """Raises InvalidOptions where the target is neither, or the package is not installed."""
        self._target, self._output = target, output
        try:
            from openlineage.client.event_v2 import set_producer  # noqa: PLC0415 - an extra, and only when asked for
        except ImportError:
            raise InvalidOptions(
                "--openlineage needs a package that is not installed: pip install 'suggestion-telemetry[lineage]'"
            ) from None
        set_producer(f"urn:{_NAMESPACE}")
        if not target.startswith(_HTTP) and not storage.is_local(target):
            raise InvalidOptions(f"--openlineage {shown_path(target)}: allowed are http://, https:// and a local file")

    def began(self, record: Record) -> None:
        """START."""
        self._send("START", record, record.started_at)

    def ended(self, record: Record) -> None:
        """COMPLETE, FAIL, or ABORT of an interrupted run."""
        kind = _ENDS.get(ExitCode(record.exit_code or 0), "FAIL")
        self._send(kind, record, record.ended_at or datetime.now(UTC))

    def _send(self, kind: str, record: Record, when: datetime) -> None:
        try:
            _deliver(self._target, event_of(kind, record, when, self._output))
        except Exception as cause:  # noqa: BLE001 - each way to fail has a class of its own; none may end the run
            detail = getattr(getattr(cause, "response", None), "status_code", None) or type(cause).__name__
            print(f"warning: OpenLineage's {kind} was not sent to {shown_path(self._target)}: {detail}",
                  file=sys.stderr, flush=True)  # fmt: skip


def event_of(kind: str, record: Record, when: datetime, output: Output) -> "RunEvent":
    """The event of a run as its record is now."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState  # noqa: PLC0415
    from openlineage.client.generated.job_type_job import JobTypeJobFacet  # noqa: PLC0415

    facet = JobTypeJobFacet(processingType="BATCH", integration="BEAM", jobType="JOB")
    job = Job(os.environ.get("OPENLINEAGE_NAMESPACE", _NAMESPACE), record.job, {"jobType": facet})
    inputs = [_read(place) for place in (record.input.places if record.input else [])]
    rows = (record.books or {}).get("rows")
    outputs = [_written(output, name, count) for name, count in (rows.items() if isinstance(rows, dict) else ())]
    run = Run(record.run, _run_facets(record, kind))
    return RunEvent(eventTime=when.isoformat(), eventType=RunState[kind], run=run, job=job, inputs=inputs,
                    outputs=outputs)  # fmt: skip


def _run_facets(record: Record, kind: str) -> dict[str, Any]:
    from openlineage.client.facet_v2 import error_message_run, nominal_time_run, processing_engine_run  # noqa: PLC0415

    engine = processing_engine_run.ProcessingEngineRunFacet(record.versions.get("apache-beam", ""), "Apache Beam")
    facets: dict[str, Any] = {"processing_engine": engine}
    if day := record.received_date:
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        ends = (begin, begin + timedelta(days=1))
        facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(*(moment.isoformat() for moment in ends))
    if record.error and kind != "COMPLETE":
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(record.error, "PYTHON")
    return facets


def _read(place: Place) -> "InputDataset":
    from openlineage.client.event_v2 import InputDataset  # noqa: PLC0415
    from openlineage.client.facet_v2 import input_statistics_input_dataset  # noqa: PLC0415

    counts = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(place.payloads, place.bytes, place.files)
    return InputDataset(*_name(place.path), inputFacets={"inputStatistics": counts})


def _written(output: Output, dataset: str, rows: int) -> "OutputDataset":
    from openlineage.client.event_v2 import OutputDataset  # noqa: PLC0415
    from openlineage.client.facet_v2 import output_statistics_output_dataset  # noqa: PLC0415

    counts = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rows)
    path = shown_path(storage.absolute(output.beside(dataset)))
    return OutputDataset(*_name(path), outputFacets={"outputStatistics": counts})


def _name(path: str) -> tuple[str, str]:
    """Namespace and name of a folder, as OpenLineage's rules of naming have them: the bucket, or `file`."""
    if storage.is_local(path):
        return "file", path
    scheme, _, rest = path.partition("://")
    bucket, _, name = rest.partition("/")
    return f"{scheme}://{bucket}", name or "/"


def _deliver(target: str, event: "RunEvent") -> None:
    from openlineage.client.serde import Serde  # noqa: PLC0415
    from openlineage.client.transport.http import (  # noqa: PLC0415
        ApiKeyTokenProvider,
        HttpConfig,
        HttpTransport,
        TokenProvider,
    )

    if not target.startswith(_HTTP):
        with open(storage.local_path(target), "a", encoding="utf-8") as file:
            file.write(f"{Serde.to_json(event)}\n")
        return
    key = os.environ.get("OPENLINEAGE_API_KEY")
    auth = ApiKeyTokenProvider({"api_key": key}) if key else TokenProvider({})
    HttpTransport(HttpConfig(target, timeout=_TIMEOUT_S, retry=_RETRY, auth=auth)).emit(event)
