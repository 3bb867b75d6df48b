"""Answers in the form that each kind of client reads.

Read in the clients' code and tried with them (docs/send-events.md has the
table): a success needs a body, or `@vscode/extension-telemetry` waits for ever;
an error's body must be no JSON, or `applicationinsights` drops the batch; 1DS
sends everything again after a 206, and nothing after a 4xx.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from starlette.responses import Response

from pipelines.collector.sorting import Sorted

_encode = msgspec.json.Encoder().encode


class Form(NamedTuple):
    """A kind of endpoint: its name in metrics, and how it answers a body that was read."""

    name: str
    answer: Callable[[Sorted], Response]


def text(status: int, message: str) -> Response:
    """A short text that is no JSON."""
    return Response(message, status, media_type="text/plain")


def _json(status: int, content: object) -> Response:
    return Response(_encode(content), status, media_type="application/json")


def _track(taken: Sorted) -> Response:
    """200, 206 with what was refused, 400 where all was.

    `errors` stands in order of index and holds exactly received less accepted: the clients check both.
    """
    accepted = taken.events - len(taken.refusals)
    errors = [{"index": number, "statusCode": 400, "message": why} for number, why in taken.refusals]
    status = 200 if not errors else 206 if accepted else 400
    return _json(status, {"itemsReceived": taken.events, "itemsAccepted": accepted, "errors": errors})


def _one_collector(taken: Sorted) -> Response:
    """200 with counts, 400 where all was refused; never 206."""
    accepted = taken.events - len(taken.refusals)
    counts = {"acc": accepted, **({"rej": len(taken.refusals)} if taken.refusals else {})}
    return _json(200 if accepted else 400, counts)


TRACK = Form("track", _track)
ONE_COLLECTOR = Form("one_collector", _one_collector)
