"""The page: what is answered on which path. A request's whole way is `_take`."""

import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.collector.addresses import AddressReader
from pipelines.collector.answers import ONE_COLLECTOR, TRACK, Form, text
from pipelines.collector.bodies import Held, Memory, content_encoding, inflated, media_type, read_body
from pipelines.collector.commits import GroupCommit
from pipelines.collector.figures import Figures
from pipelines.collector.ingestion_keys import IngestionKeys
from pipelines.collector.records import Record
from pipelines.collector.refusals import Refused
from pipelines.collector.sorting import Sorted, Why, sort_events

_GONE = 499
"""Counted for a client that hung up before its body was there; nobody reads the answer."""


class Policy(NamedTuple):
    """Who may send, how much at once, and whose address counts."""

    keys: IngestionKeys
    addresses: AddressReader
    max_request_bytes: int


class Intake:
    """Takes requests; everything is held in here that outlives one."""

    def __init__(self, policy: Policy, memory: Memory, commits: GroupCommit, figures: Figures) -> None:
        self._policy = policy
        self._memory = memory
        self._commits = commits
        self._figures = figures
        self.is_ending = False

    def app(self) -> Starlette:
        """The ASGI app.

        Editors in a browser send from other origins and with credentials, so the origin is echoed; there are no
        cookies here and nothing to read, so any origin may.
        """
        track, one_collector = self._endpoint(TRACK), self._endpoint(ONE_COLLECTOR)
        cors = Middleware(
            CORSMiddleware,
            allow_origin_regex=".*",
            allow_credentials=True,
            allow_methods=["POST"],
            allow_headers=["*"],
            allow_private_network=True,
            max_age=86_400,
        )
        routes = [
            Route("/v2/track", track, methods=["POST"]),
            Route("/v2.1/track", track, methods=["POST"]),
            Route("/OneCollector/1.0", one_collector, methods=["POST"]),
            Route("/OneCollector/1.0/", one_collector, methods=["POST"]),
            Route("/healthz", self._health),
            Route("/readyz", self._readiness),
        ]
        return Starlette(routes=routes, middleware=[cors])

    def _endpoint(self, form: Form) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            begun_s = time.perf_counter()
            try:
                with self._memory.held() as held:
                    answer = form.answer(await self._take(request, held))
            except Refused as refused:
                answer = text(refused.status, refused.text)
            except ClientDisconnect:
                answer = text(_GONE, "gone")
            except Exception as error:  # noqa: BLE001 - its text may hold data: its type and place are told
                print(f"a bug: {type(error).__name__} at {_place(error)}", file=sys.stderr, flush=True)
                answer = text(500, "the collector failed, send it again later")
            self._figures.answered(form.name, answer.status_code, time.perf_counter() - begun_s)
            return answer

        return endpoint

    async def _take(self, request: Request, held: Held) -> Sorted:
        """Returns when every event that is not refused is durable, or is not to be stored; raises Refused."""
        headers = request.headers
        encoding, kind = content_encoding(headers.get("content-encoding")), media_type(headers.get("content-type"))
        limit_bytes = self._policy.max_request_bytes
        wire = await read_body(request.stream(), headers.get("content-length"), limit_bytes, held)
        received_at_us = time.time_ns() // 1000
        plain = inflated(wire, encoding)
        taken = sort_events(plain, self._policy.keys)
        whole = (kind, None, plain) if encoding == "deflate" else (kind, encoding, wire)  # the jobs read gzip and plain
        del plain
        records = _records(taken, whole, received_at_us, self._client_ip(request))
        stored_bytes = sum(len(record.body) for record in records)
        held.grow(max(stored_bytes - len(wire), 0))
        if records:
            await self._commits.commit(records)
        self._count(taken, stored_bytes)
        return taken

    def _client_ip(self, request: Request) -> str | None:
        peer = request.client.host if request.client else None
        return self._policy.addresses.client(peer, request.headers.getlist(self._policy.addresses.header))

    def _count(self, taken: Sorted, stored_bytes: int) -> None:
        for portion in taken.portions:
            self._figures.events("off" if portion.standing.telemetry_level == "off" else "stored", portion.events)
        not_json = sum(refusal.why == Why.NOT_JSON for refusal in taken.refusals)
        self._figures.events("not_json", not_json)
        self._figures.events("unknown_key", len(taken.refusals) - not_json)
        self._figures.stored(stored_bytes)

    async def _health(self, _: Request) -> Response:
        return text(200, "alive")

    async def _readiness(self, _: Request) -> Response:
        is_ready = not self.is_ending and await self._commits.is_ready()
        return text(200, "ready") if is_ready else text(503, "not ready")


def _records(
    taken: Sorted, whole: tuple[str | None, str | None, bytes], received_at_us: int, client_ip: str | None
) -> list[Record]:
    """What is stored of a body: all of it as it was sent, or its portions; nothing of level off."""
    return [
        Record(
            received_at_us,
            client_ip,
            portion.standing.telemetry_level,
            portion.standing.snippet_consent,
            *(whole if portion.body is None else (portion.content_type, None, portion.body)),
        )
        for portion in taken.portions
        if portion.standing.telemetry_level != "off"
    ]


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
