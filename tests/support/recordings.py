"""Requests that real clients sent, as `tests/data/clients` keeps them."""

import base64
import gzip
import io
import json
from datetime import datetime
from typing import Any

import fastavro

from schemas.registry import raw_schemas
from tests.conftest import DATA

FOLDER = DATA / "clients"


def recording(name: str) -> dict[str, Any]:
    """A recording: its `requests`, and what who drove the client says of them."""
    return dict(json.loads((FOLDER / f"{name}.json").read_text()))


def body_of(request: dict[str, Any]) -> bytes:
    """A request's body as it was received; a recording may hold it packed once more, to be small."""
    if packed := request.get("body_gzip_base64"):
        return gzip.decompress(base64.b64decode(packed))
    return base64.b64decode(request["body_base64"])


def raw_container(name: str, received_at: datetime) -> bytes:
    """The Avro container that a collector writes of a recording's requests, with consent to everything."""
    stamp = {"received_at": received_at, "client_ip": "81.2.69.142", "telemetry_level": "all", "snippet_consent": True}
    types = ("content_type", "content_encoding")
    records = [{**stamp, **{t: r[t] for t in types}, "body": body_of(r)} for r in recording(name)["requests"]]
    out = io.BytesIO()
    fastavro.writer(out, raw_schemas()["raw_request.1"], records)
    return out.getvalue()
