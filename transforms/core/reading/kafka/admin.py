"""Questions about a Kafka topic, and clients for it; with `kafka_log` the only user of confluent_kafka."""

import json
import logging
import re
import time
from typing import Any

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from schemas.errors import InvalidOptions, MessagesLost, SourceUnavailable, TopicReplaced
from transforms.core.storage.secret_files import read_secret
from transforms.core.topic_identity import EARLIEST_LEFT, NEW_TOPIC, TopicIdentity, check_same

_QUEUED_KB = 64 * 1024
"""What the client fetches ahead, over all partitions: the bound of memory before a message is decoded."""

_REQUEST_TIMEOUT_S = 10.0
_GONE_AFTER_S = 10.0
_FATAL = (
    KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._AUTHENTICATION, KafkaError._AUTO_OFFSET_RESET,
    KafkaError.OFFSET_OUT_OF_RANGE,
)  # fmt: skip
"""What trying again does not mend. Anything else the client gets over by itself, a broker that is gone above all."""

_OUT_OF_RANGE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
_GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)
_MISSING = (*_GONE, KafkaError.TOPIC_AUTHORIZATION_FAILED)
_NO_ID = ("", "AAAAAAAAAAAAAAAAAAAAAA")


def load_config(path: str | None) -> dict[str, Any]:
    """Client settings (SASL, TLS, ...) from a JSON file, by librdkafka's names.

    Raises InvalidOptions where it is none, KeyUnavailable where others may
    write it: a setting names a library that the client loads. No setting's value
    stands in an error.
    """
    if path is None:
        return {}
    try:
        config = json.loads(read_secret(path, "Kafka configuration"))
        if not isinstance(config, dict) or not all(isinstance(v, str | int | float) for v in config.values()):
            raise ValueError
    except (ValueError, RecursionError):
        raise InvalidOptions(
            f"--kafka_config {path}: allowed is a JSON object of client settings, as in "
            '{"security.protocol": "SASL_SSL", "sasl.username": "..."}'
        ) from None
    return config


_SETTING = re.compile(r"[a-z]+(\.[a-z0-9]+)+")


def _refused_settings(config: dict[str, Any], text: str) -> str:
    """Which settings the client's error is about; its own words quote values, passwords in a wrong place too."""
    named = sorted(name for name in config if _SETTING.fullmatch(name) and f'"{name}"' in text)
    return f"--kafka_config: the client does not take {', '.join(named) or 'a setting in it, or its value'}"


def _client_config(servers: str, config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "bootstrap.servers": servers, "logger": _SILENT}


_SILENT = logging.getLogger(f"{__name__}.client")  # what the client says of connections; the job tells it in its words
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class TopicAdmin:
    """Questions about a topic that are asked before and beside reading it."""

    def __init__(self, servers: str, topic: str, config: dict[str, Any]) -> None:
        self.topic = self._topic = topic
        self._servers = servers
        self._config = config
        self._gone_since_s: float | None = None
        try:
            self._admin = AdminClient(_client_config(servers, config))
        except (KafkaException, TypeError, ValueError) as cause:
            raise InvalidOptions(_refused_settings(config, str(cause))) from None

    def check_topic(self) -> None:
        """Raises InvalidOptions where the topic is missing or not stamped by the broker, else SourceUnavailable."""
        self.partitions()
        resource = ConfigResource(ResourceType.TOPIC, self._topic)
        entries = self._asked(self._admin.describe_configs([resource])[resource])
        found = entries["message.timestamp.type"].value
        if found != "LogAppendTime":
            raise InvalidOptions(
                f"topic {self._topic} has message.timestamp.type={found}: what a window holds would not be a function "
                "of the log; set it to LogAppendTime (kafka-configs --alter --add-config "
                "message.timestamp.type=LogAppendTime)"
            )

    def partitions(self) -> list[int]:
        """The topic's partitions; raises InvalidOptions where there is no such topic."""
        try:
            topic = self._admin.list_topics(self._topic, timeout=_REQUEST_TIMEOUT_S).topics[self._topic]
        except KafkaException as cause:
            raise SourceUnavailable(f"kafka://{self._servers}: {cause.args[0].str()}") from None
        if topic.error is not None:
            kind = InvalidOptions if topic.error.code() in _MISSING else SourceUnavailable
            raise kind(f"--input kafka://{self._servers}/{self._topic}: {topic.error.str()}")
        return sorted(topic.partitions)

    def identity(self) -> TopicIdentity:
        """Ids of the cluster and the topic; raises as `partitions` does."""
        try:
            cluster_id = self._admin.list_topics(self._topic, timeout=_REQUEST_TIMEOUT_S).cluster_id
        except KafkaException as cause:
            raise SourceUnavailable(f"kafka://{self._servers}: {cause.args[0].str()}") from None
        described = self._admin.describe_topics(TopicCollection([self._topic]), request_timeout=_REQUEST_TIMEOUT_S)
        topic_id = str(self._asked(described[self._topic]).topic_id)
        return TopicIdentity(cluster_id or None, None if topic_id in _NO_ID else topic_id)

    def check_is(self, kept: TopicIdentity) -> None:
        """Raises TopicReplaced where the topic is gone or another one; SourceUnavailable where nobody can be asked.

        A broker that has just come back may not know its topics yet: one is gone when it was for some seconds.
        """
        try:
            found = self.identity()
        except InvalidOptions as gone:
            now_s = time.monotonic()
            self._gone_since_s = self._gone_since_s or now_s
            if now_s - self._gone_since_s < _GONE_AFTER_S:
                raise SourceUnavailable(str(gone)) from None
            raise TopicReplaced(
                f"topic {self.topic}: {gone}; where it was deleted and is made anew, {NEW_TOPIC}"
            ) from None
        self._gone_since_s = None
        check_same(self.topic, kept, found)

    def begin_offsets(self) -> dict[int, int]:
        """The oldest offset that each partition still holds."""
        return self._offsets(OffsetSpec.earliest())

    def end_offsets(self) -> dict[int, int]:
        """Where the next message of each partition will stand; transactions that are open are not counted."""
        return self._offsets(OffsetSpec.latest())

    def _offsets(self, where: OffsetSpec) -> dict[int, int]:
        asked = self._admin.list_offsets(
            {TopicPartition(self._topic, p): where for p in self.partitions()},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_REQUEST_TIMEOUT_S,
        )
        return {tp.partition: self._asked(found).offset for tp, found in asked.items()}

    def first_time_ms(self, offsets: dict[int, int]) -> int | None:
        """The append time of the oldest message from these offsets on; None where there is none yet."""
        ends = self.end_offsets()
        waiting = [TopicPartition(self._topic, p, o) for p, o in offsets.items() if o < ends.get(p, 0)]
        consumer = new_consumer(self._servers, self._config)
        times = []
        try:
            for partition in waiting:
                consumer.assign([partition])
                for message in consumer.consume(1, _REQUEST_TIMEOUT_S):
                    raise_if_fatal(message, self._topic)
                    if message.error() is None:
                        times.append(message.timestamp()[1])
        finally:
            consumer.close()
        return min(times, default=None)

    def _asked(self, future: Any) -> Any:
        try:
            return future.result(timeout=_REQUEST_TIMEOUT_S)
        except KafkaException as cause:
            if cause.args[0].code() in _MISSING:
                raise InvalidOptions(f"--input kafka://{self._servers}/{self._topic}: {cause.args[0].str()}") from None
            raise SourceUnavailable(f"kafka://{self._servers}: {cause.args[0].str()}") from None


def new_consumer(servers: str, config: dict[str, Any]) -> Consumer:
    """A consumer that commits nothing and joins no group: positions stand in the ledger."""
    return Consumer(
        {
            "fetch.wait.max.ms": 100,
            **_client_config(servers, config),
            "group.id": "suggestion-telemetry",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": _QUEUED_KB,
            "queued.min.messages": 20_000,
        }
    )


def raise_if_fatal(message: Message, topic: str) -> None:
    """Raises SourceUnavailable on an error that the client does not get over by itself, MessagesLost where a flag must
    say how to go on.
    """
    error = message.error()
    if error is not None and (error.fatal() or error.code() in _FATAL):
        way = ""
        if error.code() in _OUT_OF_RANGE:
            way = f"; where retention took what had not been read, {EARLIEST_LEFT}"
        elif error.code() in _GONE:
            way = f"; where the topic was deleted and is made anew, {NEW_TOPIC}"
        kind = MessagesLost if way else SourceUnavailable
        raise kind(f"topic {topic}, partition {message.partition()}: {error.name()}{way}")
