"""Quarantined bodies, opened with the operators' private key: the payloads that they were."""

import io
from collections.abc import Iterable

import fastavro

from schemas.registry import raw_schemas
from transforms.core.blocks import Block, RawRequest
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.quarantine.rows import Payload


def open_body(keys: PrivateKeys, key_id: str, sealed: bytes, container: str) -> Payload:
    """The inverse of `Payload.replayable`, sealed; raises KeyUnavailable where the key does not open the body."""
    body = keys.open(key_id, sealed)
    if container != "avro":
        return Payload(body)
    record = fastavro.schemaless_reader(io.BytesIO(body), raw_schemas()["raw_request.1"], None)
    request = RawRequest(**{**record, "received_at": record["received_at"].isoformat()})
    return Payload(request.body, request)


def block_of(payloads: Iterable[Payload]) -> Block:
    """The payloads as reading would give them."""
    block = Block()
    for line, request in payloads:
        if request is None:
            block.lines.append(line)
        else:
            block.requests.append(request._replace(body=line))
    return block
