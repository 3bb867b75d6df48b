"""Landed files are changed while a stream stands, stopped or killed; then it goes on with the same output."""

import json
import signal
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import compact, erase, expire, withdraw
from tests.conftest import KEY_RING, PRIVATE, run_batch, write_lines
from tests.curating.test_windows import rows_of
from tests.jobs.test_erase import assert_no_trace, traces
from tests.support.brokers import Broker, as_message, kafka_broker, produce
from tests.support.changes import done
from tests.support.persons import life, machine, people_file
from tests.support.signed_outputs import verified, write_public_key
from tests.support.stream_jobs import StreamJob, needs_kafka, needs_prism, streaming
from transforms.core.keys.keyring import KeyRing

pytestmark = [needs_kafka, needs_prism, pytest.mark.xdist_group("streaming")]

TOPIC = "changed"
ERASED, WITHDRAWN, ERASED_LATER, PEOPLE = [3, 4], [5], [6], range(8)
PAST, CLOSED, NOW = timedelta(days=40), timedelta(days=6), timedelta(0)
"""Quarantine of that day expires; that day is compacted."""

LIFE = 6
"""Messages of a life and the payload beside it."""
KEYS = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
Document = dict[str, Any]

_KILLED = """
import os, signal, sys
from pipelines import streaming
from transforms.core.chains.window_manifests import WindowManifests
messages = int(sys.argv[1])
def take_in(self, real=WindowManifests.take_in):
    if sum(self._state.positions.values()) >= messages:
        os.kill(os.getpid(), signal.SIGKILL)
    real(self)
WindowManifests.take_in = take_in
streaming.main(sys.argv[7:])
"""
"""The job, killed when a window with so many messages is whole and nobody has signed it."""


class Feed:
    """Everything that was put into the topic, and what of it may stand in files."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.uri = broker.create_topic(TOPIC, 1)
        self._given: list[tuple[int, Document]] = []
        self._gone: set[int] = set()

    @property
    def messages(self) -> int:
        return len(self._given)

    def give(self, number: int, since: timedelta = NOW) -> range:
        """A life and a payload that cannot be read of each person, received so long ago; gives their places."""
        before = len(self._given)
        for person in PEOPLE:
            at = f"{datetime.now(UTC) - since:%Y-%m-%dT%H:%M:%S.%f}Z"
            made = life(person, number, at)
            made.append({"collector": made[0]["collector"], "broken": f"{machine(person)} {number}"})
            self._given += [(person, document) for document in made]
        lines = [as_message(json.dumps(document).encode()) for _, document in self._given[before:]]
        produce(self._broker.servers, TOPIC, lines)
        return range(before, len(self._given))

    def forbid(
        self, people: Iterable[int], code_of: Iterable[int], first: int = 0, unread: Container[int] = ()
    ) -> None:
        """Nothing of these people may land, and no code of those, from the first place on.

        What cannot be read and goes to quarantine later cannot be known: docs/erasure.md names this limit.
        """
        for place in range(first, len(self._given)):
            person, document = self._given[place]
            if "broken" in document and place in unread:
                continue
            if person in people:
                self._gone.add(place)
            elif person in code_of:
                document["collector"] = document["collector"] | {"snippet_consent": False}

    @property
    def may_land(self) -> list[Document]:
        return [document for place, (_, document) in enumerate(self._given) if place not in self._gone]

    def taken_by(self, job: StreamJob) -> None:
        job.wait_taken(self.messages)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with kafka_broker(tmp_path_factory.mktemp("kafka") / "node") as started:
        yield started


def quiet(job: StreamJob) -> None:
    """Lets some windows pass in which nothing comes."""
    assert job.state
    since_s = job.state.whole_to_s
    job.wait_for(lambda: bool(job.state and job.state.whole_to_s >= since_s + 6))


def test_a_stream_goes_on_after_landed_files_were_changed(tmp_path: Path, broker: Broker, ring: KeyRing) -> None:
    feed, output, key = Feed(broker), tmp_path / "out", f"--public_key={write_public_key(tmp_path / 'signing.pub')}"

    def changed(job: Callable[..., None], people: Iterable[int] = (), **levels: Any) -> None:
        named = [f"--people={people_file(tmp_path, [*people], **levels)}", *KEYS] if people else []
        assert "receipt: " in done(job, f"--datasets={output}", f"--key_ring={KEY_RING}", *named)

    with streaming(feed.uri, output) as job:
        for number, since in enumerate((PAST, CLOSED, NOW)):
            feed.give(number, since)
            feed.taken_by(job)
        quiet(job)
        feed.give(3)  # of the last window
        assert job.stop() == 0
        feed.taken_by(job)
    unread = feed.give(4)  # is in the topic when the changes come, and nobody has read it
    changed(erase.main, ERASED)
    changed(withdraw.main, WITHDRAWN, snippet_consent=False)
    feed.forbid(ERASED, WITHDRAWN, unread=unread)
    assert_no_trace(output, traces(ring, ERASED))
    changed(compact.main)
    changed(expire.main)
    verified(output, key)

    dies_at = str(feed.messages + 2 * len(PEOPLE) * LIFE)
    with streaming(feed.uri, output, through=(sys.executable, "-W", "ignore", "-c", _KILLED, dies_at)) as job:
        feed.taken_by(job)
        late = feed.give(5, CLOSED)  # for the day that was compacted: it was received before the changes
        feed.forbid(ERASED, WITHDRAWN, late.start, late)
        feed.taken_by(job)
        feed.give(6)  # what they send from now on lands
        assert job.process.wait(90) == -signal.SIGKILL
    changed(erase.main, ERASED_LATER)
    feed.forbid(ERASED_LATER, ())
    assert_no_trace(output, traces(ring, ERASED_LATER))

    with streaming(feed.uri, output) as job:
        feed.give(7)
        late = feed.give(8, CLOSED)
        feed.forbid([*ERASED, *ERASED_LATER], WITHDRAWN, late.start, late)
        feed.taken_by(job)
        quiet(job)
        assert job.stop() == 0
    verified(output, key)
    changed(compact.main)  # takes in what came late
    verified(output, key)
    twin = tmp_path / "twin"
    run_batch(write_lines(tmp_path / "may_land.ndjson", feed.may_land), twin)
    done(expire.main, f"--datasets={twin}", f"--key_ring={KEY_RING}")
    assert comparable(output) == comparable(twin)
    assert shown_by_language(output) == shown_by_language(twin)


_OF_A_MESSAGE = ("payload_id", "slot_code", "container", "payload_bytes")


def comparable(output: Path) -> dict[str, list[Document]]:
    """All rows but the ledger's; of quarantine what a message and its line have in common, and no word of bodies: a
    withdrawal takes all of a person's, the stamp alone only those with code.
    """
    rows = rows_of(output)
    for row in rows["quarantine"]:
        for name in (*_OF_A_MESSAGE, "body_key_id"):
            del row[name]
    rows["quarantine"].sort(key=repr)
    return rows


def shown_by_language(output: Path) -> list[Any]:
    """A query of the README, by a glob over all files."""
    rates = "count(*), avg((outcome in ('accepted', 'partially_accepted'))::int), count(distinct suggestion_id)"
    return duckdb.sql(
        f"select language, {rates} from '{output}/suggestions/*/*.parquet' where display_count > 0 group by all"
    ).fetchall()
