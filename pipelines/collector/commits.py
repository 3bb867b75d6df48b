"""Group commit: the records of many requests become durable together, and each answer waits for its group."""

import asyncio
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from pipelines.collector.figures import Figures
from pipelines.collector.records import Committed, Fate, Record, Sink
from pipelines.collector.refusals import Refused, unavailable

_GATHER_S = 0.002
"""Seconds a group waits for more records before it is written. A synced write takes 1 to 5 ms on a disk."""

_GROUP_BYTES = 16 * 1024 * 1024
"""A group ends with the record that passes this size. It becomes one block of an Avro file."""

_TICK_S = 0.5


class _Waiting(NamedTuple):
    records: Sequence[Record]
    answered: "asyncio.Future[list[Fate]]"


class GroupCommit:
    """Gives the sink one group after the other, from a thread of its own, and tells of trouble once.

    While a group is being written the next one gathers, so the more requests come, the larger the groups.
    """

    def __init__(self, sink: Sink, figures: Figures, place: str) -> None:
        """`place` is what trouble is told about: the folder or topic."""
        self._sink = sink
        self._figures = figures
        self._place = place
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sink")
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    def start(self) -> None:
        """To be called in the running loop."""
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def commit(self, records: Sequence[Record]) -> None:
        """Returns when all records are durable; raises Refused (503, 413) where one is not."""
        loop = asyncio.get_running_loop()
        answered = loop.create_future()
        self._waiting.append(_Waiting(records, answered))
        if self._writing is None:
            self._writing = loop.create_task(self._write_groups())
        fates = await answered
        if Fate.TOO_LARGE in fates:
            raise Refused(413, "the body is longer than the topic takes")
        if Fate.UNAVAILABLE in fates:
            raise unavailable()

    async def is_ready(self) -> bool:
        """Whether the last commit succeeded; after trouble, whether the next one would."""
        if self._trouble is None:
            return True
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._sink.is_reachable)

    async def close(self) -> None:
        """Waits for what is being written, and lets the sink hand on what it has."""
        if self._ticking is not None:
            self._ticking.cancel()
        if self._writing is not None:
            await self._writing
        await asyncio.get_running_loop().run_in_executor(self._thread, self._sink.close)
        self._thread.shutdown()

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_S)
                group = self._next_group()
                records = [record for waiting in group for record in waiting.records]
                begun_s = time.perf_counter()
                committed = await loop.run_in_executor(self._thread, self._commit, records)
                self._figures.committed(len(records), time.perf_counter() - begun_s, committed)
                self._tell(committed.trouble)
                fates = iter(committed.fates)
                for waiting in group:
                    own = [next(fates) for _ in waiting.records]
                    if not waiting.answered.done():
                        waiting.answered.set_result(own)
        finally:
            self._writing = None

    def _next_group(self) -> list[_Waiting]:
        size_bytes, count = 0, 0
        for waiting in self._waiting:
            size_bytes += sum(len(record.body) for record in waiting.records)
            count += 1
            if size_bytes >= _GROUP_BYTES:
                break
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _commit(self, records: Sequence[Record]) -> Committed:
        """In the sink's thread. A bug of ours must not stop the answers: nothing is acknowledged by it."""
        try:
            return self._sink.commit(records)
        except Exception as error:  # noqa: BLE001 - its text may hold data; its type is told
            return Committed([Fate.UNAVAILABLE] * len(records), f"{type(error).__name__} in the collector")

    def _tell(self, trouble: str | None) -> None:
        """One line when trouble begins, or changes, and one when it is over."""
        if trouble != self._trouble:
            text = "storing again" if trouble is None else f"answering 503, cannot store: {trouble}"
            print(f"{self._place}: {text}", file=sys.stderr, flush=True)
        self._trouble = trouble

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            await loop.run_in_executor(self._thread, self._sink.tick)
            self._figures.rolled(self._sink)
