"""Realistic raw data with the exact truth beside it.

    python -m pipelines.generate --output demo/generated --events 20000 --seed 7

Writes `<output>/raw/` (what collectors write: NDJSON plain, gzipped, zstd, and
Avro) and `<output>/truth.json` (what a correct job must find in it).
"""

import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import fastavro
import msgspec
import zstandard

from pipelines.options import job_parser, run_job, whole_number
from pipelines.synthetic_events import (
    CONTAINERS,
    Event,
    Person,
    common_properties,
    new_uuid,
    opportunity,
    person,
)
from schemas.errors import InvalidOptions
from schemas.registry import raw_schemas
from transforms.core import storage

_EVENTS_PER_PERSON = 120
_PERMITS = {"all": ("usage", "error"), "error": ("error",)}
_ZERO_KEY = "00000000-0000-0000-0000-000000000000"
_FLUSH_EVENTS = 20_000
_BAD_LINES = (b'{"name": "cut', b"not json at all", b'{"data": {"baseData": {"name": 7}}}', b"[1, 2]")


class Truth:
    """What a correct job must find, counted while the data is made."""

    def __init__(self) -> None:
        self.payloads = self.events = self.landed = self.duplicate = 0
        self.withheld: Counter[str] = Counter()
        self.outside_contract: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.received_dates: Counter[str] = Counter()
        self.shown: set[str] = set()
        self.accepted: set[str] = set()

    def count(self, someone: Person, event: Event, received: datetime, is_copy: bool) -> None:
        """Counts one event as it arrives."""
        self.events += 1
        self.received_dates[received.date().isoformat()] += 1
        if event.is_invalid:
            fate = "off" if someone.level not in ("all", "error", "crash") else None
            if fate:
                self.withheld[fate] += 1
            else:
                self.quarantined["invalid_event"] += 1
            return
        withheld = _withheld(someone, event)
        if withheld:
            self.withheld[withheld] += 1
        elif event.dataset is None:
            self.outside_contract[event.name] += 1
        elif is_copy:
            self.duplicate += 1
        else:
            self._land(someone, event)

    def _land(self, someone: Person, event: Event) -> None:
        self.landed += 1
        for dataset in (event.dataset, *event.mirrors):
            if dataset and (dataset != "snippets" or someone.snippet_consent):
                self.rows[dataset] += 1
        key = event.properties.get("clientCompletionId")
        if key and event.name == "ghostText.shown":
            self.shown.add(key)
        if key and event.name == "ghostText.accepted":
            self.accepted.add(key)

    def as_json(self) -> dict[str, Any]:
        """The content of truth.json."""
        return {
            "payloads": self.payloads,
            "events": self.events,
            "landed": self.landed,
            "duplicate": self.duplicate,
            "withheld": dict(sorted(self.withheld.items())),
            "outside_contract": dict(sorted(self.outside_contract.items())),
            "quarantined": dict(sorted(self.quarantined.items())),
            "rows": dict(sorted(self.rows.items())),
            "received_dates": dict(sorted(self.received_dates.items())),
            "suggestions": {"shown": len(self.shown), "accepted": len(self.accepted)},
        }


def _withheld(someone: Person, event: Event) -> str | None:
    if someone.level not in ("all", "error", "crash"):
        return "off"
    if event.dataset is None:
        return None
    needed = "error" if event.dataset == "errors" else "usage"
    if needed not in _PERMITS.get(someone.level, ()):
        return someone.level
    return "snippet" if event.dataset == "snippets" and not someone.snippet_consent else None


def envelope(someone: Person, event: Event) -> dict[str, Any]:
    """The event as the person's client wraps it."""
    time = _iso(datetime.fromtimestamp(event.at_ms / 1000, UTC))
    properties = {**event.properties, **common_properties(someone)}
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


def generate(
    output: str,
    events: int,
    seed: int,
    day: date,
    containers: Sequence[str] = CONTAINERS,
    with_code: bool = True,
    with_rubbish: bool = True,
) -> Truth:
    """Writes at least so many events of one day, the same for the same arguments; returns the truth."""
    rng = random.Random(seed)
    truth = Truth()
    collectors = Collectors(storage.join(output, "raw"), rng, truth, with_rubbish)
    people = [person(rng, containers) for _ in range(max(12, events // _EVENTS_PER_PERSON))]
    start_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    while truth.events < events:
        someone = rng.choice(people)
        at_ms = start_ms + min(int(86_400_000 * truth.events / events), 86_399_999)
        if not someone.session or rng.random() < 0.05:
            someone.session = f"{new_uuid(rng)}{at_ms}"
        made = [e for e in opportunity(rng, at_ms) if _is_wanted(e, with_code, with_rubbish)]
        for event in made:
            if someone.has_event_ids:
                event.properties["unique_id"] = new_uuid(rng)
            else:
                event.measurements["timeSinceIssuedMs"] = rng.random() * 1e6  # no two events alike by chance
        while made:
            count = rng.randrange(1, 9)
            collectors.receive(someone, made[:count])
            made = made[count:]
    collectors.close()
    text = json.dumps({"seed": seed, "date": day.isoformat(), **truth.as_json()}, indent=1)
    storage.write_atomic(storage.join(output, "truth.json"), f"{text}\n".encode())
    return truth


def _is_wanted(event: Event, with_code: bool, with_rubbish: bool) -> bool:
    has_code = event.dataset == "snippets" or "snippets" in event.mirrors
    return (with_code or not has_code) and (with_rubbish or not event.is_invalid)


def main(argv: Sequence[str]) -> None:
    """The command."""
    parser = job_parser("generate", "Make a day of realistic raw data and the exact truth about it.")
    parser.add_argument("--output", required=True, metavar="PATH", help="New folder for raw/ and truth.json.")
    parser.add_argument(
        "--events", type=whole_number(1, 10**9), default=20_000, help="At least so many. Default: 20000."
    )
    parser.add_argument(
        "--seed", type=whole_number(0, 2**63), default=1, help="The same seed, the same bytes. Default: 1."
    )
    parser.add_argument(
        "--container", action="append", choices=CONTAINERS, help="Only this container; repeatable. Default: all."
    )
    parser.add_argument("--without_code", action="store_true", help="No event that holds code.")
    parser.add_argument("--without_rubbish", action="store_true", help="No malformed line and no wrong type.")
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="The day. Default: yesterday (UTC).")
    args = parser.parse_args(list(argv))
    try:
        day = date.fromisoformat(args.date) if args.date else datetime.now(UTC).date() - timedelta(days=1)
    except ValueError:
        raise InvalidOptions(f"--date {args.date!r}: allowed is YYYY-MM-DD") from None
    if storage.exists(storage.join(args.output, "truth.json")):
        raise InvalidOptions(f"--output {args.output}: there is generated data already")
    truth = generate(
        args.output,
        args.events,
        args.seed,
        day,
        args.container or CONTAINERS,
        with_code=not args.without_code,
        with_rubbish=not args.without_rubbish,
    )
    print(f"{truth.events} events in {truth.payloads} payloads: {storage.join(args.output, 'raw')}")
    print(f"the truth about them: {storage.join(args.output, 'truth.json')}")


if __name__ == "__main__":
    run_job(main)
