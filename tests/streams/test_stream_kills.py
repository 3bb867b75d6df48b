"""A short run of `make stream_kills`."""

from pathlib import Path

import pytest

from tests.stream_kills import campaign
from tests.support.brokers import kafka_broker
from tests.support.stream_jobs import needs_kafka, needs_prism


@needs_kafka
@needs_prism
@pytest.mark.xdist_group("streaming")
def test_two_kills_lose_nothing(tmp_path: Path) -> None:
    with kafka_broker(tmp_path / "kafka") as broker:
        figures = campaign(tmp_path, broker, kills=2, messages=6000, seed=7)
    assert "6000 rows" in figures
    assert "0 lost, 0 twice, 0 in a wrong window" in figures
