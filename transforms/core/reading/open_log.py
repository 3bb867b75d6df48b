"""`kafka://HOST:PORT/TOPIC` or a folder -> its log."""

import os
import re
from hashlib import blake2b

from schemas.errors import InvalidOptions
from transforms.core.reading.folder_log import FolderLog
from transforms.core.reading.kafka.admin import load_config
from transforms.core.reading.kafka.log import KafkaLog
from transforms.core.reading.log import Log, LogPosition, LogSource, ReadBefore

_KAFKA = re.compile(r"kafka://([^/\s]+)/([A-Za-z0-9._-]{1,249})")


def kafka_parts(uri: str) -> tuple[str, str] | None:
    """Servers and topic; None where it is no kafka:// URI. Raises InvalidOptions where it is a wrong one."""
    if not uri.startswith("kafka://"):
        return None
    found = _KAFKA.fullmatch(uri)
    if found is None or "@" in found[1]:
        raise InvalidOptions(
            f"--input {uri}: allowed is kafka://HOST:PORT[,HOST:PORT]/TOPIC; who logs in stands in --kafka_config"
        )
    return found[1], found[2]


def stream_digest(uri: str) -> str:
    """16 hex digits that name the stream: of the topic, wherever its brokers are, or of the folder."""
    parts = kafka_parts(uri)
    name = f"kafka\0{parts[1]}" if parts else f"folder\0{uri.rstrip('/')}"
    return blake2b(os.fsencode(name), digest_size=8).hexdigest()


def open_log(source: LogSource, position: LogPosition, before: ReadBefore, reader: int, readers: int) -> Log:
    """The log at a position.

    Files that are in whole windows are taken, whatever an older position says:
    a runner that goes back to a checkpoint does not take back what is published.
    """
    parts = kafka_parts(source.uri)
    if parts is not None:
        config = load_config(source.kafka_config)
        return KafkaLog(*parts, config, position, reader, readers, before)
    return FolderLog(source.uri, position._replace(positions={**position.positions, **before.positions}))
