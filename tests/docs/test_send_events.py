"""docs/send-events.md: every block of it runs, every name in it is a name, and five events by hand land."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from pipelines.collector.ingestion_keys import load_keys
from schemas.registry import event_schemas, load
from tests.conftest import KEY_RING, read_rows, run_batch
from tests.support.brokers import kafka_broker
from tests.support.collectors import body_of, new_ids
from tests.support.servers import free_port
from tests.support.stream_jobs import needs_kafka
from transforms.core.reading.kafka.messages import block_of, unpacked

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "send-events.md").read_text()
BLOCKS = re.findall(r"```(sh|python|toml)\n(.*?)```", PAGE, re.DOTALL)


def block(kind: str, mark: str) -> str:
    (found,) = (text for k, text in BLOCKS if k == kind and mark in text)
    return found


def run(kind: str, text: str, place: Path) -> str:
    command = [sys.executable, "-c", text] if kind == "python" else ["sh", "-ec", text]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page's first two blocks were run."""
    folder = tmp_path_factory.mktemp("send-events")
    (folder / "printed.txt").write_text(run("sh", block("sh", "events.ndjson <<END"), folder))
    return folder


@contextmanager
def serving(command: str, place: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A command of the page, until it answers on its port."""
    process = subprocess.Popen([sys.executable, *command.split()[1:]], cwd=place, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            except urllib.error.HTTPError:
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_five_events_by_hand_land(place: Path) -> None:
    printed = (place / "printed.txt").read_text()
    assert "5 payloads, 5 events:" in printed
    assert re.search(r"^ +5 landed$", printed, re.MULTILINE)
    assert "the books balance" in printed
    shown = run("python", block("python", "persistence_30s"), place)
    assert re.search(r"python.*accepted.*mostly_unchanged", shown)


def test_an_avro_record_by_hand_lands(place: Path, tmp_path: Path) -> None:
    assert "requests.avro" in run("python", block("python", "requests.avro"), place)
    books = run_batch(place / "demo" / "hand" / "requests.avro", tmp_path / "out")
    assert (books.events, books.landed) == (1, 1)


@needs_kafka
@pytest.mark.xdist_group("streaming")
def test_a_message_by_hand_is_read_with_its_stamp(place: Path, tmp_path: Path) -> None:
    with kafka_broker(tmp_path / "kafka") as broker:
        broker.create_topic("telemetry")
        text = block("python", "Producer").replace("localhost:9092", broker.servers)
        assert run("python", text, place) == "0 messages left\n"
        consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "x", "auto.offset.reset": "earliest"})
        consumer.subscribe(["telemetry"])
        (message,) = consumer.consume(1, 30)
        consumer.close()
    (request,) = block_of([unpacked(message)]).requests
    assert (request.client_ip, request.telemetry_level, request.snippet_consent) == ("203.0.113.7", "all", False)
    assert request.received_at is not None
    assert b"ghostText.shown" in request.body


@pytest.mark.parametrize("form", ["lines", "array"])
def test_the_small_collector_takes_events_that_land(tmp_path: Path, form: str) -> None:
    code = block("python", "Starlette(")
    assert len([line for line in code.splitlines() if line.strip()]) <= 32
    (tmp_path / "small_collector.py").write_text(code)
    port, ids = free_port(), new_ids(3)
    body = body_of(ids).replace(b'"ver":1', b'"ver":1,"collector":{"telemetry_level":"all","client_ip":"6.6.6.6"}', 1)
    if form == "array":
        body = b"[" + body.replace(b"\n", b",") + b"]"
    command = block("sh", "uvicorn").replace("8000", str(port))
    with serving(command, tmp_path, port):
        url = f"http://127.0.0.1:{port}/v2.1/track"
        with urllib.request.urlopen(urllib.request.Request(url, body, method="POST")) as answer:
            assert json.loads(answer.read()) == {"itemsReceived": 3, "itemsAccepted": 3, "errors": []}
    text = (tmp_path / "demo" / "small" / "requests.ndjson").read_text()
    assert text.count("\n") == 3
    assert all(line.startswith('{"collector"') for line in text.splitlines())
    assert "6.6.6.6" not in text
    books = run_batch(tmp_path / "demo" / "small", tmp_path / "out")
    assert (books.events, books.landed) == (3, 3)


def test_the_collector_takes_an_event_by_curl_that_lands(tmp_path: Path) -> None:
    keys = tmp_path / "demo" / "ingestion_keys.toml"
    keys.parent.mkdir()
    keys.write_text(block("toml", "[keys."))
    assert sorted(standing.telemetry_level for standing in load_keys(str(keys)).values()) == ["all", "error"]
    port = free_port()
    with serving(block("sh", "pipelines.collect").replace("8080", str(port)), tmp_path, port):
        told = run("sh", block("sh", "curl").replace("8080", str(port)), tmp_path)
        assert json.loads(told) == {"itemsReceived": 1, "itemsAccepted": 1, "errors": []}
    books = run_batch(tmp_path / "demo" / "incoming", tmp_path / "out", "--close_open_suggestions")
    assert (books.events, books.landed) == (1, 1)
    assert read_rows(tmp_path / "out", "displays")


def section(title: str) -> list[list[str]]:
    """The cells of a section's first table, without its head."""
    text = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def test_every_kind_of_event_goes_where_the_page_says_by_fields_that_exist() -> None:
    known = {source.rpartition(".")[2] for s in event_schemas().values() for f in s.fields for source in f.sources}
    known |= {route.source.rpartition(".")[2] for s in event_schemas().values() for route in s.events if route.source}
    seen = set()
    for names, dataset, required, useful in section("Fields by kind of event"):
        for name in re.findall(r"`([^`]+)`", names):
            targets = [d for d in re.findall(r"[a-z_]+", dataset) if d in event_schemas()]
            seen.update(targets)
            for target in targets:
                assert any(route.name == name for route in load(target).events), (name, target)
        for field in re.findall(r"`([^`]+)`", required + useful):
            assert field in known, field
        fields = {f.name: f for d in re.findall(r"[a-z_]+", dataset) if d in event_schemas() for f in load(d).fields}
        for field in re.findall(r"`([^`]+)`", required):
            assert any(f.required and f"properties.{field}" in f.sources for f in fields.values()), field
    assert seen == set(event_schemas())


def test_what_each_level_permits_is_what_the_schemas_say() -> None:
    rows = {row[0]: row for row in section("The stamp")[4:] if row[0].startswith("`")}
    assert set(re.findall(r"[a-z_]+", rows["`error`"][2])) & set(event_schemas()) == {
        name for name, schema in event_schemas().items() if schema.level in ("error", "crash")
    }
    assert not [name for name, schema in event_schemas().items() if schema.level == "crash"], "a row for crash is wrong"


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert link.startswith("https://") or (ROOT / "docs" / link).exists(), link


def test_the_key_ring_of_tests_is_not_what_the_page_needs(place: Path) -> None:
    assert KEY_RING not in PAGE
    assert (place / "demo" / "hand-keys" / "ring.json").exists()
