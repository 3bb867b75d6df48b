"""The collector as a process, and a client that sends fast and keeps its connections."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import fastavro
import msgspec
import psutil

from tests.conftest import sample
from tests.support.servers import free_port
from transforms.core.decoding.bodies import decompressed, split_body

ZERO_KEY = "00000000-0000-0000-0000-000000000000"
TENANT_KEY = f"{'0' * 32}-{ZERO_KEY}-0000"
ERRORS_KEY = "11111111-0000-0000-0000-000000000000"
OFF_KEY = "22222222-0000-0000-0000-000000000000"
KEYS = f"""
[default]
telemetry_level = "all"

[keys.{ZERO_KEY}]
snippet_consent = true

[keys.{TENANT_KEY}]
snippet_consent = true

[keys.{ERRORS_KEY}]
telemetry_level = "error"

[keys.{OFF_KEY}]
telemetry_level = "off"
"""


def keys_file(folder: Path) -> Path:
    path = folder / "ingestion_keys.toml"
    path.write_text(KEYS)
    path.chmod(0o600)
    return path


class Collector:
    """`python -m pipelines.collect` on a free port; its log in a file."""

    def __init__(self, folder: Path, to: Path | str, *more: str, port: int | None = None) -> None:
        self.port, self.metrics_port = port or free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "collector.log"
        self.to = to
        command = [sys.executable, "-W", "ignore", "-m", "pipelines.collect", f"--listen=127.0.0.1:{self.port}"]
        command += [f"--to={to}", f"--ingestion_keys={keys_file(folder)}", f"--metrics_port={self.metrics_port}", *more]
        before = self.text.count("listening on") if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while self.text.count("listening on") == before:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the collector ended with {self.process.poll()}: {self.text[-2000:]}")
            time.sleep(0.05)

    @property
    def text(self) -> str:
        return self.log.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def metrics(self) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.metrics_port}/metrics")
        request.add_header("Accept", "application/openmetrics-text")
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def metric(self, name: str) -> float:
        """The sum over a metric's labels."""
        lines = (line.rsplit(" ", 1) for line in self.metrics().splitlines() if not line.startswith("#"))
        return sum(float(value) for key, value in lines if key.partition("{")[0] == name)

    def cpu_s(self) -> float:
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system


@contextmanager
def collecting(folder: Path, to: Path | str, *more: str) -> Iterator[Collector]:
    collector = Collector(folder, to, *more)
    try:
        yield collector
    finally:
        collector.stop()


def event(unique_id: str, key: str = ZERO_KEY) -> dict[str, Any]:
    """An event as a client sends it: a sample without its stamp."""
    document = sample()
    del document["collector"]
    document["iKey"] = key
    document["data"]["baseData"]["properties"] |= {"unique_id": unique_id, "clientCompletionId": unique_id}
    return document


def body_of(ids: Iterable[str], key: str = ZERO_KEY) -> bytes:
    return b"\n".join(msgspec.json.encode(event(one, key)) for one in ids)


def new_ids(count: int) -> list[str]:
    return [str(uuid.UUID(bytes=os.urandom(16), version=4)) for _ in range(count)]


class Sent(NamedTuple):
    """One request of the fast client; status 0: the connection broke before an answer."""

    number: int
    status: int
    seconds: float


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> int:
    writer.write(head % len(body) + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(answer[9:12])


async def _connection(port: int, work: Iterator[tuple[int, bytes]], head: bytes, sent: list[Sent]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number, body in work:
            begun = time.perf_counter()
            try:
                status = await _post(reader, writer, head, body)
            except (OSError, asyncio.IncompleteReadError):
                sent.append(Sent(number, 0, time.perf_counter() - begun))
                return
            sent.append(Sent(number, status, time.perf_counter() - begun))
    finally:
        writer.close()


async def _send(port: int, bodies: Iterable[bytes], connections: int, headers: bytes) -> list[Sent]:
    head = b"POST /v2.1/track HTTP/1.1\r\nHost: collector\r\n" + headers + b"Content-Length: %d\r\n\r\n"
    work, sent = enumerate(bodies), []
    await asyncio.gather(*(_connection(port, work, head, sent) for _ in range(connections)), return_exceptions=True)
    return sent


def send(port: int, bodies: Iterable[bytes], connections: int = 8, headers: bytes = b"") -> list[Sent]:
    """Sends bodies over some connections at once; after a break the connection sends no more."""
    return asyncio.run(_send(port, bodies, connections, headers))


def stored(folder: Path) -> list[dict[str, Any]]:
    """The raw records in the files that a reader of the folder sees."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.avro")):
        with path.open("rb") as file:
            found.extend(fastavro.reader(file))
    return found


def stored_ids(folder: Path) -> list[str]:
    """The unique ids of all stored events."""
    return [
        json.loads(line)["data"]["baseData"]["properties"]["unique_id"]
        for record in stored(folder)
        for line in split_body(decompressed(record["body"])[0])
    ]
