"""Figures: what is counted, and that no label grows with clients."""

from prometheus_client import generate_latest

from pipelines.collector.bodies import Memory
from pipelines.collector.figures import Figures
from pipelines.collector.records import Committed, Fate


def shown(figures: Figures) -> dict[str, float]:
    lines = generate_latest(figures._registry).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_each_figure_counts_what_its_name_says() -> None:
    memory = Memory(1000)
    figures = Figures(memory)
    figures.answered("track", 200, 0.003)
    figures.answered("track", 503, 0.2)
    figures.events("stored", 5)
    figures.events("off", 0)
    figures.stored(1234)
    figures.committed(3, 0.004, Committed([Fate.DURABLE, Fate.UNAVAILABLE, Fate.TOO_LARGE], "x"))
    with memory.held() as held:
        held.grow(77)
        found = shown(figures)
    assert found['collect_requests_total{endpoint="track",status="200"}'] == 1
    assert found['collect_requests_total{endpoint="track",status="503"}'] == 1
    assert found['collect_events_total{fate="stored"}'] == 5
    assert 'collect_events_total{fate="off"}' not in found
    assert found["collect_body_bytes_total"] == 1234
    assert found["collect_failed_records_total"] == 2
    assert found["collect_commit_records_sum"] == 3
    assert found["collect_held_bytes"] == 77
    assert shown(figures)["collect_held_bytes"] == 0
