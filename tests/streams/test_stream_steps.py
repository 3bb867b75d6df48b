"""What of the endless job runs on Python alone: its options, its stateful step on a bounded log, the folder log."""

import gzip
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.window import TimestampedValue

from pipelines import streaming
from pipelines.ingest import Ingest, IngestSettings, StreamSettings
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.options.ingest_flags import default_geo_database
from pipelines.runners.flink_rest import cancel_flink_job
from pipelines.streams import flags as stream_flags
from pipelines.streams import watch as stream_watch
from schemas.errors import InvalidOptions, OutputInUse, PipelineError, RunnerUnavailable
from tests.conftest import KEY_RING
from tests.curating.test_windows import books, event, rows_of
from tests.support.marks import write_mark
from tests.support.windowed import STREAM, Timed, Windows
from transforms.core.blocks import Block
from transforms.core.output.layout import Output
from transforms.core.output.ledger import mark_files
from transforms.core.output.publishing import publishing_of
from transforms.core.output.stream_state import StreamState
from transforms.core.reading.folder_log import FolderLog
from transforms.core.reading.log import LogPosition
from transforms.core.reading.open_log import kafka_parts, stream_digest
from transforms.core.shuffle.pieces import quiet_piece, quiet_until_s
from transforms.core.shuffle.windows import Window

START = datetime.fromisoformat("2026-03-31T22:55:00+00:00")


def lines() -> list[Timed]:
    kinds = ["displays/pass/ghostText.shown", "outcomes/pass/ghostText.accepted"]
    moments = [START + timedelta(seconds=97 * n) for n in range(60)]
    return [(t.timestamp(), event(n % 50, t, n % 4, kinds[n % 2])) for n, t in enumerate(moments)]


class _MakeBlocks(beam.DoFn):
    """Blocks cannot be shuffled: they are made inside the stage, as the log's reader makes them."""

    def process(self, second: float) -> Iterator[TimestampedValue]:
        yield TimestampedValue(Block(lines=[dict(lines())[second]]), second)


def seconds() -> list[float]:
    return [second for second, _ in lines()]


def run_on_fn_api(output: Path, interval_s: int) -> None:
    start_s = int(min(seconds())) // interval_s * interval_s
    until_s = int(max(seconds())) // interval_s * interval_s + interval_s
    stream = StreamSettings(STREAM, interval_s, start_s, timedelta(0), until_s)
    settings = IngestSettings(
        key_ring=KEY_RING, output=Output(str(output)), slots=16, buckets=2, geo_database=default_geo_database(),
        city_min_population=15_000, lookback=timedelta(days=1), suggestion_horizon=timedelta(minutes=30), stream=stream,
    )  # fmt: skip
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        blocks = pipeline | "Seconds" >> beam.Create(seconds()) | beam.ParDo(_MakeBlocks()).with_output_types(Block)
        _ = blocks | Ingest(settings)


@pytest.mark.parametrize("interval_s", [300, 3600])
def test_the_stateful_step_gives_the_same_files_as_the_loop(tmp_path: Path, interval_s: int) -> None:
    Windows(tmp_path / "loop").run(lines(), interval_s)
    run_on_fn_api(tmp_path / "beam", interval_s)
    assert rows_of(tmp_path / "beam") == rows_of(tmp_path / "loop")
    assert books(tmp_path / "beam") == books(tmp_path / "loop")
    names = [sorted(p.name for p in (tmp_path / where).glob("displays/*/*.parquet")) for where in ("loop", "beam")]
    assert names[0] == names[1]


def test_a_piece_is_never_taken_for_a_quiet_span() -> None:
    assert quiet_until_s(quiet_piece(1_774_779_232)) == 1_774_779_232
    assert quiet_until_s(os.urandom(28)) is None  # nonce and tag of the shortest sealed piece


REQUIRED = ["--output=o", "--key_ring=k"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--input=kafka://h:1/t", "--watch"], "--watch goes with a folder"),
        (["--input=folder"], "a folder with --watch"),
        (["--input=kafka://h:1"], "allowed is kafka://HOST:PORT"),
        (["--input=folder", "--watch", "--readers=2"], "go with a kafka:// input"),
        (["--input=kafka://h:1/t", "--publish_interval=0s"], "1s and more"),
        (["--input=kafka://h:1/t", "--lookback=1min"], "must not be shorter than --suggestion_horizon"),
        (["--input=kafka://h:1/t", "--runner=FnApiRunner"], "it does not run endless jobs with timers"),
        (["--input=kafka://h:1/t", "--runner=DataflowRunner"], "leave --runner out for Prism"),
        (["--input=kafka://h:1/t", "--runner=DaskRunner"], "it drops what steps emit in finish_bundle"),
        (["--input=kafka://h:1/t", "--checkpointing_interval=0"], "allowed is a whole number from 1"),
        (["--input=kafka://h:1/t", "--start=yesterday"], "invalid choice"),
        (["--input=kafka://h:1/t", "--publish_intervall=1s"], "unrecognized arguments"),
    ],
)
def test_settings_that_contradict_or_lose_data_are_refused(flags: list[str], message: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        stream_flags.check(
            parse_pipeline_options(
                "streaming", stream_flags.StreamingJobOptions, ("input", "output", "key_ring"), [*flags, *REQUIRED]
            )
        )
    assert message in str(refused.value)


def test_a_broker_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.core.reading.kafka import admin as kafka_admin

    monkeypatch.setattr(kafka_admin, "_REQUEST_TIMEOUT_S", 1.0)
    binary = tmp_path / "prism"
    binary.write_text("#!/bin/sh\nexec python3 -m http.server ${1#--job_port=}\n")
    binary.chmod(0o755)
    flags = ["--input=kafka://127.0.0.1:9/t", f"--output={tmp_path}/o", f"--key_ring={KEY_RING}"]
    with pytest.raises(PipelineError, match=r"kafka://127\.0\.0\.1:9: "):
        streaming.run([*flags, f"--prism_location={binary}"])
    assert not (tmp_path / "o" / "_claim.json").exists()


def test_streams_are_named_by_topic_or_folder() -> None:
    assert kafka_parts("kafka://a:1,b:2/events.v1") == ("a:1,b:2", "events.v1")
    assert kafka_parts("gs://bucket/in") is None
    assert stream_digest("kafka://a:1/t") == stream_digest("kafka://b:2/t")
    assert stream_digest("/in/") == stream_digest("/in") != stream_digest("kafka://a:1/in")


def read_all(log: FolderLog, interval_s: int = 60) -> list[tuple[int, int, list[tuple[str, int, int]]]]:
    return [
        (
            time_ms,
            len(block.lines),
            [(t.part.rpartition("/")[2].partition("@")[0], t.begin, t.end) for t in block.taken],
        )
        for time_ms, block in log.read(0.01, interval_s)
    ]


def settled(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    os.utime(path, (time.time() - 10, time.time() - 10))
    return path


def test_the_folder_log_takes_whole_files_once_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.core import blocks
    from transforms.core.reading import folder_log

    now = datetime.now(UTC)
    one = event(1, now, 1) + b"\n"
    settled(tmp_path / "b.ndjson", one * 3)
    settled(tmp_path / "a.ndjson.gz", gzip.compress(one * 2))
    (tmp_path / "c.ndjson").write_bytes(one)  # written just now: not whole yet
    settled(tmp_path / "d.ndjson.tmp", one)
    settled(tmp_path / "_e.ndjson", one)
    settled(tmp_path / "f.ndjson", b"")
    log = FolderLog(str(tmp_path), LogPosition({}, 0))
    first = read_all(log)
    assert [(count, [t[0] for t in taken]) for _, count, taken in first] == [
        (2, ["a.ndjson.gz"]), (3, ["b.ndjson"]), (0, ["f.ndjson"]),
    ]  # fmt: skip
    assert read_all(log) == []
    assert log.position.watermark_ms >= first[-1][0]
    again = FolderLog(str(tmp_path), log.position)
    settled(tmp_path / "c.ndjson", one)
    assert [t for _, _, t in read_all(again)] == [[("c.ndjson", 0, len(one))]]
    (tmp_path / "b.ndjson").unlink()
    assert read_all(again) == []
    assert len(again.position.positions) == 3, "files that are gone are forgotten"
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2 * len(one))
    settled(tmp_path / "g.ndjson", one * 500)
    parts = read_all(again)
    assert sum(count for _, count, _ in parts) == 500
    assert [bool(taken) for _, _, taken in parts] == [False] * (len(parts) - 1) + [True]
    assert len({time_ms for time_ms, _, _ in parts}) == 1, "a file is in one window"
    monkeypatch.setattr(folder_log, "WINDOW_BYTES", len(one))
    for name in "hijk":
        settled(tmp_path / f"{name}.ndjson", one)
    slow = FolderLog(str(tmp_path), again.position)
    assert len(read_all(slow, 86_400)) == 1, "a window takes so much and the rest waits"
    assert read_all(slow, 86_400) == []


def test_a_file_that_vanishes_before_it_is_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.core import storage

    gone = settled(tmp_path / "a.ndjson", event(1, datetime.now(UTC), 1))
    settled(tmp_path / "b.ndjson", event(2, datetime.now(UTC), 2))
    listed = storage.list_tree(str(tmp_path))
    monkeypatch.setattr(storage, "list_tree", lambda _: listed)
    gone.unlink()
    assert [t[0][0] for _, _, t in read_all(FolderLog(str(tmp_path), LogPosition({}, 0)))] == ["b.ndjson"]


def watch_options(folder: Path) -> SimpleNamespace:
    return SimpleNamespace(
        publish_interval=timedelta(seconds=1), output=Output(str(folder)), input=str(folder), watch=True, kafka_config=None,
        buckets=1, metrics_port=None, metrics_address="127.0.0.1", metrics_file=None, flink_rest=None,
    )  # fmt: skip


def test_a_stall_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(stream_watch, "_STALLED_S", 0.3)
    monkeypatch.setattr(stream_watch, "_STALLED_WINDOWS", 0)
    looks: list[float] = []

    def advance(state: StreamState, *_: Any) -> list[dict[str, Any]]:
        looks.append(time.monotonic())
        if looks[-1] - looks[0] > 1 and state.whole_to_s == 0:
            watch._told_to_stop()
            state.whole_to_s = 2**33
        return []

    monkeypatch.setattr(stream_watch.stream_state, "advance", advance)
    running = SimpleNamespace(wait_until_finish=threading.Event().wait, state="DONE")
    with stream_watch.Watch(watch_options(tmp_path), StreamState(Output(str(tmp_path)), "s", 0), None) as watch:
        watch.until_stopped(running)
    assert capsys.readouterr().err.count("no window became whole for 0 s") == 1
    assert len(looks) > 3


def test_a_window_that_is_begun_while_the_job_is_stopped_does_not_stay(tmp_path: Path) -> None:
    """A worker of the same process is at the next window when the last one is whole, and the runner lets it go on."""
    output, end_s = Output(str(tmp_path)), 1_774_915_200
    publishing, is_at_it, goes_on = publishing_of(output), threading.Event(), threading.Event()

    def publish(begin_s: int, *buckets: int) -> None:
        for bucket in buckets:
            with publishing.one():
                if begin_s == end_s:
                    is_at_it.set()
                    goes_on.wait(30)
                write_mark(output, Window(STREAM, begin_s, begin_s + 60), bucket, {"0": (0, 0)}, buckets=2)

    state = StreamState(output, STREAM, end_s - 60)
    state.save()
    publish(end_s - 60, 0, 1)
    worker = threading.Thread(target=publish, args=(end_s, 1))
    worker.start()
    assert is_at_it.wait(30)
    running = SimpleNamespace(wait_until_finish=threading.Event().wait, state="RUNNING", cancel=goes_on.set)
    with stream_watch.Watch(watch_options(tmp_path), state, None) as watch:
        watch._stop_at_s = end_s
        watch.until_stopped(running)
    worker.join(30)
    assert state.whole_to_s == end_s
    assert [end for _, end in mark_files(STREAM, output.listing(), -1)] == [end_s, end_s]
    with pytest.raises(OutputInUse):
        publish(end_s, 0)


def test_a_cluster_that_hangs_up_is_told_in_one_line() -> None:
    with socket.create_server(("localhost", 0)) as server:

        def hang_up() -> None:
            asked, _ = server.accept()
            asked.recv(4096)
            asked.close()

        threading.Thread(target=hang_up, daemon=True).start()
        job = SimpleNamespace(job_id=lambda: "job")
        with pytest.raises(RunnerUnavailable, match="the job there may go on"):
            cancel_flink_job(f"http://localhost:{server.getsockname()[1]}", job)


def test_the_metrics_port_listens_on_loopback_unless_told() -> None:
    from pipelines.streams.metrics import StreamMetrics
    from tests.support.servers import free_port

    def listens_on(port: int) -> str:
        entry = f":{port:04X} 00000000:0000 0A"
        found = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if entry in line]
        return found[0].partition(":")[0]

    own, told = free_port(), free_port()
    StreamMetrics(own, None)
    StreamMetrics(told, None, "0.0.0.0")
    assert listens_on(own) == "0100007F"
    assert listens_on(told) == "00000000"
    with pytest.raises(
        InvalidOptions, match=f"--metrics_port {own}, --metrics_address 127.0.0.1: Address already in use"
    ):
        StreamMetrics(own, None)
    with pytest.raises(InvalidOptions, match=r"--metrics_address nobody\.invalid"):
        StreamMetrics(free_port(), None, "nobody.invalid")
