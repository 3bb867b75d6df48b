"""A Kafka broker, as a process of its own, and collectors that write to it."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.servers import free_port

TOOLS = Path(__file__).parents[2] / ".tools"
KAFKA_JARS = TOOLS / "kafka"
PRISM = TOOLS / "bin" / "prism"
STAMPED = {"message.timestamp.type": "LogAppendTime"}


class Broker:
    """One node, KRaft; its data in a folder, so that it can be killed and started again."""

    def __init__(
        self, folder: Path, more_listeners: dict[str, int] | None = None, more: dict[str, str] | None = None
    ) -> None:
        """`more_listeners`: security protocol -> port, beside the plain one; `more`: further settings."""
        self.port, self._controller_port = free_port(), free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        ports = {"PLAINTEXT": self.port, "CONTROLLER": self._controller_port, **(more_listeners or {})}
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(
                f"{name}:{'PLAINTEXT' if name == 'CONTROLLER' else name}" for name in ports
            ),
            "log.dirs": str(folder / "data"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "auto.create.topics.enable": "false",
            "message.max.bytes": str(32 * 1024 * 1024),
            **(more or {}),
        }
        (folder / "server.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._java("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c").wait(60)

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = ["java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{KAFKA_JARS}/*", main]
        with (self._folder / "broker.log").open("ab") as log:
            return subprocess.Popen(
                [*command, *arguments, str(self._folder / "server.properties")], stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def start(self) -> None:
        self._process = self._java("kafka.Kafka")
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError((self._folder / "broker.log").read_text()[-2000:])

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)
            self._process.wait(60)

    def create_topic(self, topic: str, partitions: int = 2, config: dict[str, str] | None = None) -> str:
        admin = AdminClient({"bootstrap.servers": self.servers})
        created = admin.create_topics([NewTopic(topic, partitions, 1, config=STAMPED if config is None else config)])
        created[topic].result(30)
        return f"kafka://{self.servers}/{topic}"


@contextmanager
def kafka_broker(
    folder: Path, more_listeners: dict[str, int] | None = None, more: dict[str, str] | None = None
) -> Iterator[Broker]:
    broker = Broker(folder, more_listeners, more)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def as_message(line: bytes) -> tuple[bytes, dict[str, str]]:
    """A raw NDJSON line as a collector puts it into a topic: the stamp in headers."""
    try:
        document = json.loads(line)
        stamp = document.pop("collector")
        if not all(isinstance(value, str | bool | None) for value in stamp.values()):
            return line, {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return line, {}
    headers = {name: str(value).lower() if isinstance(value, bool) else value for name, value in stamp.items()}
    return json.dumps(document).encode(), {k: v for k, v in headers.items() if v is not None}


def produce(servers: str, topic: str, messages: Iterable[tuple[bytes, dict[str, Any]]], **config: Any) -> int:
    """Writes messages, keyed by nothing, round the partitions by person as far as headers tell; returns how many."""
    producer = Producer(
        {"bootstrap.servers": servers, "linger.ms": 5, "queue.buffering.max.messages": 500_000, **config}
    )
    count = 0
    for value, headers in messages:
        while True:
            try:
                producer.produce(topic, value, key=headers.get("client_ip"), headers=headers)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        count += 1
    assert producer.flush(60) == 0
    return count
