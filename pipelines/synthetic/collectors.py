"""Made-up events in their clients' envelopes, stamped and written as collectors write them."""

import gzip
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import msgspec
import zstandard

from pipelines.synthetic.event import Event
from pipelines.synthetic.events import CONTAINERS, Person
from pipelines.synthetic.truth import Truth
from schemas.registry import raw_schemas
from transforms.core import storage

_ZERO_KEY = "00000000-0000-0000-0000-000000000000"
_FLUSH_EVENTS = 20_000
_PADDING = ";".join(f"config.suggestions.experiment{n}=treatment-{n % 7}" for n in range(31))
_BAD_LINES = (b'{"name": "cut', b"not json at all", b'{"data": {"baseData": {"name": 7}}}', b"[1, 2]")


def envelope(someone: Person, event: Event) -> dict[str, Any]:
    """The event as the person's client wraps it."""
    time = _iso(datetime.fromtimestamp(event.at_ms / 1000, UTC))
    properties = {**event.properties, **_common_properties(someone)}
    if someone.client == "extension-1ds":
        if event.exception:
            kind, message, stack = event.exception
            properties |= {"name": kind, "message": message, "stack": stack}
        name = event.name if event.exception else f"GitHub.copilot-chat/{event.name}"
        base = {"name": name, "properties": properties, "measurements": event.measurements}
        return {"name": name, "time": time, "ver": "4.0", "iKey": f"o:{_ZERO_KEY}", "ext": {"sdk": {"ver": "1DS"}},
                "data": {"baseData": base}}  # fmt: skip
    tags = {
        "ai.session.id": someone.session,
        "ai.user.id": someone.machine,
        "ai.internal.sdkVersion": "javascript:3.4.4",
    }
    head: dict[str, Any] = {
        "time": time,
        "iKey": _ZERO_KEY,
        "name": "Microsoft.ApplicationInsights.Event",
        "tags": tags,
    }
    if someone.client == "applicationinsights":
        tags |= {
            "ai.user.id": someone.user,
            "ai.device.osPlatform": someone.system[0],
            "ai.cloud.roleInstance": "REDACTED",
        }
        head |= {"ver": 1, "sampleRate": 100}
    if event.exception:
        head["data"] = {"baseType": "ExceptionData", "baseData": _exception(someone, event, properties)}
    else:
        base = {"name": f"copilot/{event.name}", "properties": properties, "measurements": event.measurements}
        head["data"] = {"baseType": "EventData", "baseData": base}
    return head


def _common_properties(someone: Person) -> dict[str, str]:
    """What every event of a person carries, in the client's own spelling."""
    system, version = someone.system
    if someone.client == "applicationinsights":
        return {
            "copilot_trackingId": someone.user,
            "editor_version": "vscode/1.114.0",
            "editor_plugin_version": f"copilot-chat/{someone.extension_version}",
            "common_os": system,
            "common_platformversion": version,
            "client_machineid": someone.machine,
            "client_sessionid": someone.session,
            "abexp_assignmentcontext": _PADDING,
        }
    return {
        "common.extname": "GitHub.copilot-chat",
        "common.extversion": someone.extension_version,
        "common.vscodemachineid": someone.machine,
        "common.vscodesessionid": someone.session,
        "common.vscodeversion": "1.114.0",
        "common.os": system,
        "common.platformversion": version,
        "common.uikind": "desktop",
        "common.remotename": "none",
        "copilot_trackingId": someone.user,
        "abexp.assignmentcontext": _PADDING,
    }


def _exception(someone: Person, event: Event, properties: dict[str, str]) -> dict[str, Any]:
    assert event.exception
    kind, message, stack = event.exception
    inner: dict[str, Any] = {
        "typeName": kind,
        "message": message,
        "hasFullStack": True,
        "stack": stack,
        "parsedStack": [],
    }
    if someone.client == "extension-appinsights":
        inner = {
            "typeName": "Object",
            "message": json.dumps({"exceptions": [inner]}),
            "hasFullStack": False,
            "stack": "",
        }
    return {"ver": 2, "exceptions": [inner], "properties": properties, "measurements": {}, "severityLevel": 3}


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Collectors:
    """Stamps what arrives and writes it, a container of each kind, a file whenever one is full."""

    def __init__(self, folder: str, rng: random.Random, truth: Truth, with_rubbish: bool = True) -> None:
        self._with_rubbish = with_rubbish
        self._folder = folder
        self._rng = rng
        self._truth = truth
        self._lines: dict[str, list[bytes]] = {c: [] for c in CONTAINERS if c != "avro"}
        self._requests: list[dict[str, Any]] = []
        self._files = 0

    def receive(self, someone: Person, events: list[Event]) -> None:
        """One upload of a person: stamped, kept, and sometimes received twice."""
        last = max(e.at_ms for e in events)
        late_ms = self._rng.randrange(3_600_000, 14_400_000) if self._rng.random() < 0.01 else 0
        received = datetime.fromtimestamp((last + self._rng.randrange(200, 5000) + late_ms) / 1000, UTC)
        documents = [msgspec.json.encode(envelope(someone, e)) for e in events]
        self._keep(someone, events, documents, received, is_copy=False)
        if self._rng.random() < 0.02:
            again = received + timedelta(seconds=self._rng.randrange(1, 900))
            self._keep(someone, events, documents, again, is_copy=True)

    def _keep(
        self, someone: Person, events: list[Event], documents: list[bytes], received: datetime, is_copy: bool
    ) -> None:
        for event in events:
            self._truth.count(someone, event, received, is_copy)
        stamp: dict[str, Any] = {"client_ip": someone.address, "snippet_consent": someone.snippet_consent}
        if someone.level is not None:
            stamp["telemetry_level"] = someone.level
        if someone.container == "avro":
            self._truth.payloads += 1
            self._requests.append({**stamp, "received_at": received, **_body(someone, documents)})
        else:
            self._truth.payloads += len(documents)
            collector = msgspec.json.encode({"received_at": _iso(received), **stamp})
            lines = self._lines[someone.container]
            lines += [d[:-1] + b',"collector":' + collector + b"}" for d in documents]
            if self._with_rubbish and self._rng.random() < 0.002:
                self._malformed(lines)
        self._flush(_FLUSH_EVENTS)

    def _malformed(self, lines: list[bytes]) -> None:
        bad = self._rng.choice(_BAD_LINES) + b" " * self._truth.quarantined.total()
        lines.append(bad)
        shaped = bad.startswith(b'{"data"')  # JSON of another shape, without a stamp: nobody allowed it to be kept
        self._truth.payloads += 1
        self._truth.events += 1
        self._truth.received_dates["1970-01-01"] += 1
        if shaped:
            self._truth.withheld["off"] += 1
        else:
            self._truth.quarantined["invalid_event" if bad.startswith(b"[") else "malformed_payload"] += 1

    def _flush(self, at_least: int) -> None:
        for container, lines in self._lines.items():
            if len(lines) >= at_least:
                text = b"".join(line + b"\n" for line in lines)
                self._write(container, _COMPRESS[container](text))
                lines.clear()
        if len(self._requests) * 10 >= at_least:
            out = io.BytesIO()
            fastavro.writer(out, raw_schemas()["raw_request.1"], self._requests, codec="deflate", sync_marker=b"s" * 16)
            self._write("avro", out.getvalue())
            self._requests.clear()

    def _write(self, container: str, data: bytes) -> None:
        self._files += 1
        storage.write_atomic(storage.join(self._folder, f"collector-{self._files:05d}.{container}"), data)

    def close(self) -> None:
        """Writes what is left."""
        self._flush(1)


_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "ndjson": bytes,
    "ndjson.gz": lambda data: gzip.compress(data, 6, mtime=0),
    "ndjson.zst": zstandard.ZstdCompressor(level=3).compress,
}


def _body(someone: Person, documents: list[bytes]) -> dict[str, Any]:
    if someone.client == "extension-appinsights":
        return {
            "content_type": "application/json",
            "content_encoding": None,
            "body": b"[" + b",".join(documents) + b"]",
        }
    body, kind = b"\n".join(documents), "application/x-json-stream"
    if someone.client == "applicationinsights":
        return {"content_type": kind, "content_encoding": "gzip", "body": gzip.compress(body, 6, mtime=0)}
    return {"content_type": kind, "content_encoding": None, "body": body}
