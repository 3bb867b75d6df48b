"""A Kafka topic: the durable end for `--to kafka://...`."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.collector.records import Committed, Fate, Record
from schemas.errors import InvalidOptions, SourceUnavailable

_OVERHEAD_BYTES = 64 * 1024
"""What headers and framing add to the largest body."""

_ASKED_S = 10.0
_SILENT = logging.getLogger(f"{__name__}.client")  # what the client says of connections; the job tells it in its words
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class Topic:
    """See `Sink`. A record is durable when all replicas in sync have it; nothing is written twice by a retry.

    A record that is not confirmed within `timeout_s` is told to be unavailable;
    should it have arrived all the same, its client's next try is a duplicate,
    which the jobs drop.
    """

    recovered_records = 0
    rolled_files = 0

    def __init__(self, servers: str, topic: str, config: dict[str, Any], max_body_bytes: int, timeout_s: float) -> None:
        """Raises InvalidOptions where a setting or the topic is wrong, SourceUnavailable where no broker answers."""
        self._topic = topic
        self._timeout_s = timeout_s
        self._config = {
            "compression.type": "zstd",
            "linger.ms": 1,
            **config,
            "bootstrap.servers": servers,
            "logger": _SILENT,
            "acks": "all",
            "enable.idempotence": True,
            "message.max.bytes": max_body_bytes + _OVERHEAD_BYTES,
            "message.timeout.ms": int(timeout_s * 1000),
        }
        self._producer = self._new_producer()
        try:
            found = self._producer.list_topics(topic, timeout=_ASKED_S).topics[topic]
        except KafkaException as cause:
            raise SourceUnavailable(f"kafka://{servers}: {cause.args[0].str()}") from None
        if found.error is not None:
            raise InvalidOptions(f"--to kafka://{servers}/{topic}: {found.error.str()}")

    def _new_producer(self) -> Producer:
        try:
            return Producer(self._config)
        except KafkaException as cause:
            raise InvalidOptions(f"--kafka_config: {cause.args[0].str()}") from None

    def commit(self, records: Sequence[Record]) -> Committed:
        """See `Sink`; each record has a fate of its own."""
        fates = [Fate.UNAVAILABLE] * len(records)
        troubles: dict[str, KafkaError] = {}

        def reporting(index: int) -> Callable[[KafkaError | None, Message], None]:
            def report(error: KafkaError | None, _: Message) -> None:
                fates[index] = _fate(error)
                if error is not None:
                    troubles[error.name()] = error

            return report

        for index, record in enumerate(records):
            try:
                self._producer.produce(self._topic, record.body, headers=_headers(record), on_delivery=reporting(index))
            except BufferError:
                troubles["QUEUE_FULL"] = KafkaError(KafkaError._QUEUE_FULL)
            except KafkaException as cause:
                reporting(index)(cause.args[0], None)  # type: ignore[arg-type]
        self._producer.flush(self._timeout_s + 1)
        if any(error.fatal() for error in troubles.values()):
            self._producer = self._new_producer()  # one whose order is broken sends nothing any more
        lost = Fate.UNAVAILABLE in fates
        return Committed(fates, ", ".join(sorted(troubles)) or "no answer" if lost else None)

    def is_reachable(self) -> bool:
        """Asks the brokers for the topic."""
        try:
            return self._producer.list_topics(self._topic, timeout=2.0).topics[self._topic].error is None
        except KafkaException:
            return False

    def tick(self) -> None:
        """Lets the client work off what it has to tell."""
        self._producer.poll(0)

    def close(self) -> None:
        """Nothing waits here: each commit has its answer."""
        self._producer.flush(self._timeout_s)


def _fate(error: KafkaError | None) -> Fate:
    if error is None:
        return Fate.DURABLE
    is_large = error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE)
    return Fate.TOO_LARGE if is_large else Fate.UNAVAILABLE


def _headers(record: Record) -> dict[str, str | bytes | None]:
    moment = datetime.fromtimestamp(record.received_at_us / 1_000_000, UTC)
    headers = {
        "received_at": moment.isoformat(timespec="microseconds"),
        "client_ip": record.client_ip,
        "telemetry_level": record.telemetry_level,
        "snippet_consent": "true" if record.snippet_consent else "false",
        "content_type": record.content_type,
        "content_encoding": record.content_encoding,
    }
    return {name: value for name, value in headers.items() if value is not None}
