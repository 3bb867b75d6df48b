"""OpenLineage's events: a real HTTP server gets them; without one the run goes on and says so."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines.recording import lineage
from pipelines.recording.lineage import Lineage, event_of
from pipelines.recording.record import Input, Place, Record, counts_of, new_record
from pipelines.recording.recorder import recorded
from schemas.errors import InvalidOptions, StorageUnavailable
from transforms.core.output.books import Books
from transforms.core.output.layout import Output

OUTPUT = Output("gs://bucket/datasets")


class Catalog:
    """What a server got: paths, headers, events; it answers with `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.status, self.wait_s = 201, 0.0


@contextmanager
def catalog() -> Iterator[tuple[str, Catalog]]:
    found = Catalog()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((self.path, dict(self.headers), json.loads(body)))
            time.sleep(found.wait_s)
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", found
    finally:
        server.shutdown()
        server.server_close()


def record() -> Record:
    return new_record("batch", ["raw/{received_date}"], date(2026, 3, 29), "r")


def fill(facts: Record) -> None:
    facts.input = Input("d", 3, 70, [Place("gs://raw/2026-03-29", 2, 60, 11), Place("/data/raw", 1, 10, 1)])
    books = Books(events=12, landed=12)
    books.rows.update({"displays": 7, "suggestions": 5})
    facts.books = counts_of(books)


def test_a_server_gets_the_begin_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "hunter2")
    with catalog() as (url, got), recorded(facts := record(), [Lineage(url, OUTPUT)]):
        fill(facts)
    assert [(path, event["eventType"]) for path, _, event in got.got] == [
        ("/api/v1/lineage", "START"), ("/api/v1/lineage", "COMPLETE")
    ]  # fmt: skip
    assert {headers["Authorization"] for _, headers, _ in got.got} == {"Bearer hunter2"}
    (_, _, start), (_, _, end) = got.got
    assert "hunter2" not in json.dumps([start, end])
    assert start["run"]["runId"] == end["run"]["runId"] == facts.run
    assert (end["job"]["namespace"], end["job"]["name"]) == ("suggestion-telemetry", "batch")
    read = {(d["namespace"], d["name"]): d["inputFacets"]["inputStatistics"] for d in end["inputs"]}
    assert [(f["rowCount"], f["size"], f["fileCount"]) for f in read.values()] == [(11, 60, 2), (1, 10, 1)]
    assert list(read) == [("gs://raw", "2026-03-29"), ("file", "/data/raw")]
    written = {d["name"]: d["outputFacets"]["outputStatistics"]["rowCount"] for d in end["outputs"]}
    assert written == {"datasets/displays": 7, "datasets/suggestions": 5}
    assert {d["namespace"] for d in end["outputs"]} == {"gs://bucket"}
    nominal = end["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == "2026-03-29T00:00:00+00:00"
    assert nominal["nominalEndTime"] == "2026-03-30T00:00:00+00:00"


def test_events_have_what_the_published_schema_demands(tmp_path: Path) -> None:
    """Of RunEvent, Run, Job and datasets; each facet names its schema. (Checked once with the schema files themselves.)"""
    with recorded(facts := record(), [Lineage(f"{tmp_path}/events.jsonl", OUTPUT)]):
        fill(facts)
    for line in (tmp_path / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        assert {"eventTime", "producer", "schemaURL", "run", "job"} <= set(event)
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        facets = [event["run"]["facets"], event["job"]["facets"]]
        facets += [d[f"{kind}Facets"] for kind in ("input", "output") for d in event[f"{kind}s"]]
        for facet in (f for group in facets for f in group.values()):
            assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
            assert facet["_producer"] == event["producer"]


@pytest.mark.parametrize(("error", "kind"), [(StorageUnavailable("cannot write gs://u:hunter2@b"), "FAIL"),
                                             (KeyboardInterrupt(), "ABORT"), (KeyError("payload"), "FAIL")])  # fmt: skip
def test_how_a_run_failed_is_told_without_a_secret(error: BaseException, kind: str) -> None:
    with pytest.raises(type(error)), catalog() as (url, got):
        try:
            with recorded(record(), [Lineage(url, OUTPUT)]):
                raise error
        finally:
            end = got.got[-1][2]
            assert end["eventType"] == kind
            assert end["run"]["facets"]["errorMessage"]["programmingLanguage"] == "PYTHON"
            assert "hunter2" not in json.dumps(end)
            assert "payload" not in json.dumps(end)


def test_nothing_to_do_is_complete_and_no_error() -> None:
    from schemas.errors import NothingToRead

    with pytest.raises(NothingToRead), catalog() as (url, got):
        try:
            with recorded(record(), [Lineage(url, OUTPUT)]):
                raise NothingToRead("x")
        finally:
            assert got.got[-1][2]["eventType"] == "COMPLETE"
            assert "errorMessage" not in got.got[-1][2]["run"]["facets"]


@pytest.mark.parametrize("trouble", ["nobody", 500, 401, "slow", "folder"])
def test_a_catalog_that_fails_ends_no_run_and_is_told(
    trouble: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lineage, "_TIMEOUT_S", 0.2)
    with catalog() as (url, got):
        target = {"nobody": "http://u:hunter2@127.0.0.1:9/x?key=hunter2", "folder": str(tmp_path)}.get(
            str(trouble), url
        )
        got.status, got.wait_s = trouble if isinstance(trouble, int) else 201, 1.0 if trouble == "slow" else 0.0
        with recorded(facts := record(), [Lineage(target, OUTPUT)]):
            pass
    assert facts.outcome == "done"
    told = capsys.readouterr().err
    assert "hunter2" not in told
    lines = [line for line in told.splitlines() if line.startswith("warning: OpenLineage's ")]
    assert [line.split()[2] for line in lines] == ["START", "COMPLETE"]
    assert trouble != 401 or lines[0].endswith(": 401")


def test_targets_that_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidOptions, match=r"--openlineage gs://b/x: allowed are http"):
        Lineage("gs://b/x", OUTPUT)
    monkeypatch.setitem(__import__("sys").modules, "openlineage.client.event_v2", None)
    with pytest.raises(InvalidOptions, match=r"pip install 'suggestion-telemetry\[lineage\]'"):
        Lineage("http://x", OUTPUT)


def test_no_git_repository_and_no_setting_of_the_environment_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenLineage's own client adds by itself."""
    monkeypatch.setenv("OPENLINEAGE__FACETS__ENVIRONMENT_VARIABLES", '["PATH"]')
    event = event_of("START", record(), datetime.now(UTC), OUTPUT)
    assert set(event.run.facets or {}) == {"processing_engine", "nominalTime"}
    assert set(event.job.facets or {}) == {"jobType"}
