"""The metrics file: both of Prometheus' parsers take it, and it is there after a failed run, too."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from pipelines.recording.metrics_file import MetricsFile, metrics_of
from pipelines.recording.record import Input, Record, Stage, counts_of, new_record
from schemas.errors import ExitCode, InvalidOptions
from transforms.core.output.books import Books

PARSERS: list[Callable[[str], Any]] = [
    parser.text_string_to_metric_families,  # what node_exporter reads
    openmetrics_parser.text_string_to_metric_families,
]


def ended(code: ExitCode = ExitCode.DONE, **counts: int) -> Record:
    record = new_record("batch", [], None, "r")
    record.input = Input("d", 3, 70)
    record.stages = [Stage("list", 0.5), Stage("read", 1.5)]
    books = Books(events=6, landed=3, duplicate=2)
    books.withheld["off"] = 1
    books.rows["displays"] = 3
    record.books = counts_of(books)
    record.end(code, None)
    return record


def values(data: bytes, parse: Callable[[str], Any] = PARSERS[0]) -> dict[tuple[str, ...], float]:
    found = {}
    for family in parse(data.decode()):
        assert family.type == "gauge", "a gauge is the same in both formats"
        assert family.documentation
        for sample in family.samples:
            assert sample.name == family.name
            assert sample.timestamp is None, "node_exporter refuses a file with times"
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


@pytest.mark.parametrize("parse", PARSERS, ids=["prometheus", "openmetrics"])
def test_each_parser_reads_the_same(parse: Callable[[str], Any]) -> None:
    record = ended()
    found = values(metrics_of(record, None), parse)
    assert record.ended_at is not None
    assert found["telemetry_batch_exit_code",] == 0
    assert found["telemetry_batch_end_timestamp_seconds",] == pytest.approx(record.ended_at.timestamp())
    assert found["telemetry_batch_last_success_timestamp_seconds",] == found["telemetry_batch_end_timestamp_seconds",]
    assert (found["telemetry_batch_input_files",], found["telemetry_batch_input_bytes",]) == (3, 70)
    fates = {key[1]: value for key, value in found.items() if key[0] == "telemetry_batch_events"}
    assert fates == {"landed": 3, "duplicate": 2, "withheld": 1, "outside_contract": 0, "quarantined": 0}
    assert found["telemetry_batch_rows", "displays"] == 3
    assert found["telemetry_batch_stage_seconds", "read"] == 1.5


def test_names_keep_the_rules_that_promtool_checks() -> None:
    text = metrics_of(ended(), 5.0).decode()
    for name in {key[0] for key in values(text.encode())}:
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_info", "_ms", "_kb"))
        assert name == name.lower()
        assert text.count(f"# HELP {name} ") == text.count(f"# TYPE {name} gauge\n") == 1
    assert text.endswith("# EOF\n")


def test_a_failed_run_keeps_when_the_last_good_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "t.prom"
    MetricsFile(str(path)).ended(good := ended())
    failed = new_record("batch", [], None, "r")
    failed.end(ExitCode.TRY_AGAIN, "cannot write")
    MetricsFile(str(path)).ended(failed)
    found = values(path.read_bytes())
    assert good.ended_at is not None
    assert found["telemetry_batch_exit_code",] == 75
    assert found["telemetry_batch_last_success_timestamp_seconds",] == pytest.approx(good.ended_at.timestamp())
    assert ("telemetry_batch_input_files",) not in found
    assert os.listdir(tmp_path) == ["t.prom"]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


@pytest.mark.parametrize("code", [ExitCode.UNUSABLE_INPUT, ExitCode.UNBALANCED_BOOKS, ExitCode.INTERRUPTED])
def test_what_is_no_success(code: ExitCode) -> None:
    assert ("telemetry_batch_last_success_timestamp_seconds",) not in values(metrics_of(ended(code), None))


def test_nothing_to_do_is_a_success() -> None:
    assert ("telemetry_batch_last_success_timestamp_seconds",) in values(
        metrics_of(ended(ExitCode.NOTHING_TO_DO), None)
    )


@pytest.mark.parametrize("before", [b"", b"\xff\xfe", b"not {a metric", b"other_metric 1\n"])
def test_somebody_elses_file_is_replaced(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "t.prom"
    path.write_bytes(before)
    MetricsFile(str(path)).ended(ended())
    assert values(path.read_bytes())["telemetry_batch_exit_code",] == 0


@pytest.mark.parametrize("name", ["t.txt", "none/t.prom", "t.prom/x.prom"])
def test_a_file_that_nobody_would_see_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidOptions, match=r"--metrics_file .*: allowed is a name that ends in \.prom"):
        MetricsFile(f"{tmp_path}/{name}")
