"""Generated events as an endless feed of messages: each time round with ids of their own, received when they come."""

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import date
from itertools import count, zip_longest
from pathlib import Path
from typing import NamedTuple

from pipelines.generate import generate
from tests.support.brokers import as_message

_IDS = ("unique_id", "clientCompletionId", "headerRequestId", "opportunityId")


class Template(NamedTuple):
    """A message cut where its ids end, so that another round costs a join."""

    parts: list[bytes]
    ids: list[bytes]
    headers: dict[str, str]

    def of_round(self, number: int) -> bytes:
        suffix = b"%05x" % number
        ids = (name[: -len(suffix)] + suffix for name in self.ids)
        return b"".join(part for pair in zip_longest(self.parts, ids, fillvalue=b"") for part in pair)


def template(line: bytes) -> Template:
    value, headers = as_message(line)
    headers.pop("received_at", None)  # the broker's append time is the receive time
    if not headers:
        return Template([value], [], headers)
    properties = json.loads(value)["data"].get("baseData", {}).get("properties") or {}
    ids = {properties[name].encode() for name in _IDS if isinstance(properties.get(name), str)}
    if not ids:
        return Template([value], [], headers)
    pattern = re.compile(b"|".join(map(re.escape, sorted(ids))))
    return Template(pattern.split(value), pattern.findall(value), headers)


def templates(folder: Path, events: int, *, with_rubbish: bool = True, with_code: bool = True) -> list[Template]:
    generate(str(folder), events, 1, date(2026, 1, 1), ["ndjson"], with_code=with_code, with_rubbish=with_rubbish)
    lines = [line for path in sorted((folder / "raw").iterdir()) for line in path.read_bytes().splitlines()]
    return [template(line) for line in lines if line.strip()]


class Feed:
    """Messages at an even rate, which may be changed, until it is ended or so many are given."""

    def __init__(self, made: list[Template], per_second: float, most: int | None = None) -> None:
        self._made, self._most = made, most
        self.ended = threading.Event()
        self.given = 0
        self.set_rate(per_second)

    def set_rate(self, per_second: float) -> None:
        self._rate, self._since, self._before = per_second, time.monotonic(), self.given

    def __iter__(self) -> Iterator[tuple[bytes, dict[str, str]]]:
        for number in count():
            for one in self._made:
                if self.given == self._most:
                    return
                ahead_s = (self.given - self._before) / self._rate - (time.monotonic() - self._since)
                if self.ended.wait(ahead_s) if ahead_s > 0.02 else self.ended.is_set():
                    return
                self.given += 1
                yield one.of_round(number), one.headers
