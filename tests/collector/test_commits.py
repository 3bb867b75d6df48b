"""Group commit: each request hears of its own records, groups are bounded, and trouble is told once."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.collector import commits
from pipelines.collector.bodies import Memory
from pipelines.collector.commits import GroupCommit
from pipelines.collector.figures import Figures
from pipelines.collector.records import Committed, Fate, Record
from pipelines.collector.refusals import Refused


def record(fate: Fate, size_bytes: int = 10) -> Record:
    """One that the sink below gives this fate."""
    return Record(1, None, "all", False, fate.value, None, bytes(size_bytes))


class Sink:
    """Keeps what it was given; a record says itself what becomes of it."""

    rolled_files = 0

    def __init__(self) -> None:
        self.groups: list[list[Record]] = []
        self.error: Exception | None = None
        self.is_closed = False

    def commit(self, records: Sequence[Record]) -> Committed:
        time.sleep(0.001)
        self.groups.append(list(records))
        if self.error is not None:
            raise self.error
        fates = [Fate(r.content_type) for r in records]
        return Committed(fates, "disk full" if Fate.UNAVAILABLE in fates else None)

    def is_reachable(self) -> bool:
        return self.error is None

    def tick(self) -> None:
        """Nothing is due."""

    def close(self) -> None:
        self.is_closed = True


async def committed(sink: Sink, requests: list[list[Record]]) -> list[int]:
    """The status of each request, all sent at once."""
    group = GroupCommit(sink, Figures(Memory(1)), "here")
    group.start()

    async def one(records: list[Record]) -> int:
        try:
            await group.commit(records)
        except Refused as refused:
            return refused.status
        return 200

    statuses = await asyncio.gather(*map(one, requests))
    await group.close()
    return statuses


@settings(max_examples=25)
@given(st.lists(st.lists(st.sampled_from(list(Fate)), min_size=1, max_size=3), min_size=1, max_size=12))
def test_each_request_hears_the_fate_of_its_own_records(requests: list[list[Fate]]) -> None:
    sink = Sink()
    statuses = asyncio.run(committed(sink, [[record(fate) for fate in fates] for fates in requests]))
    for fates, status in zip(requests, statuses, strict=True):
        assert status == (413 if Fate.TOO_LARGE in fates else 503 if Fate.UNAVAILABLE in fates else 200)
    assert sum(map(len, sink.groups)) == sum(map(len, requests))
    assert sink.is_closed


def test_requests_that_come_together_are_one_write() -> None:
    sink = Sink()
    assert asyncio.run(committed(sink, [[record(Fate.DURABLE)]] * 50)) == [200] * 50
    assert len(sink.groups) == 1


def test_a_group_is_cut_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "_GROUP_BYTES", 100)
    sink = Sink()
    asyncio.run(committed(sink, [[record(Fate.DURABLE, 40)] for _ in range(10)]))
    assert [len(group) for group in sink.groups] == [3, 3, 3, 1]


def test_a_bug_in_the_sink_acknowledges_nothing_and_is_told_without_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink = Sink()
    sink.error = ValueError("zofia@corp.example")
    assert asyncio.run(committed(sink, [[record(Fate.DURABLE)]] * 3)) == [503] * 3
    assert capsys.readouterr().err == "here: answering 503, cannot store: ValueError in the collector\n"


def test_trouble_is_told_when_it_begins_and_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        sink = Sink()
        group = GroupCommit(sink, Figures(Memory(1)), "here")
        for fate in (Fate.DURABLE, Fate.UNAVAILABLE, Fate.UNAVAILABLE, Fate.DURABLE, Fate.DURABLE):
            try:
                await group.commit([record(fate)])
            except Refused:
                assert await group.is_ready()
        await group.close()

    asyncio.run(run())
    assert capsys.readouterr().err.splitlines() == [
        "here: answering 503, cannot store: disk full",
        "here: storing again",
    ]
