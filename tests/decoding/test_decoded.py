"""One part of a block gathers what came of each event, and counts each once: what is lost on the way is seen."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Reason
from tests.conftest import KEY_RING, sample
from transforms.core.batches import COUNTS, QUARANTINE, EventBatch
from transforms.core.blocks import RawRequest, Unreadable
from transforms.core.decoding.decoded import DecodedPart, DecodeSettings
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.quarantine.unprocessable import Unprocessable

KEYS = step_keys_of(keyring.load(KEY_RING)).quarantine
GOOD = json.dumps(sample()).encode()
WITHHELD = json.dumps({**sample(), "collector": {**sample()["collector"], "telemetry_level": "off"}}).encode()
FOREIGN = json.dumps({**sample(), "data": {"baseData": {"name": "somebody.elses"}, "baseType": "EventData"}}).encode()
BROKEN = b'{"half": '
LINES = {"landed": GOOD, "withheld": WITHHELD, "outside_contract": FOREIGN, "quarantined": BROKEN}


def part() -> DecodedPart:
    return DecodedPart(DecodeSettings(KEYS, 4, str, Unprocessable()))


def counts_of(batches: list[EventBatch]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for batch in batches:
        for row in batch.batch.to_pylist() if batch.kind == COUNTS else ():
            counts[row["kind"]] += row["count"]
    return counts


def rows_of(batches: list[EventBatch], kind: str) -> list[dict[str, Any]]:
    return [row for batch in batches if batch.kind == kind for row in batch.batch.to_pylist()]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(LINES)), max_size=12))
def test_every_line_has_one_fate_and_is_counted_as_a_payload(fates: list[str]) -> None:
    gathered = part()
    gathered.add_lines([LINES[fate] for fate in fates])
    found = gathered.finish()
    counts, expected = counts_of(found.batches), Counter(fates)
    assert found.events == len(fates)
    assert counts["events"] == counts["payloads"] == len(fates)
    assert counts["withheld"] == expected["withheld"]
    assert counts["outside_contract"] == expected["outside_contract"]
    assert len(rows_of(found.batches, "displays")) == expected["landed"]
    assert len(rows_of(found.batches, QUARANTINE)) == expected["quarantined"]


@settings(max_examples=25)
@given(st.lists(st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=4), max_size=4))
def test_events_of_bodies_have_the_fates_that_lines_have(bodies: list[list[str]]) -> None:
    """A body of many lines is one payload; its stamp is the request's."""
    stamp = sample()["collector"]
    requests = [
        RawRequest(
            stamp["received_at"], stamp["client_ip"], "all", True, None, None, b"\n".join(LINES[f] for f in fates)
        )
        for fates in bodies
    ]
    gathered = part()
    gathered.add_events(gathered.events_of(requests))
    found = gathered.finish()
    counts, expected = counts_of(found.batches), Counter(fate for fates in bodies for fate in fates)
    assert counts["payloads"] == len(bodies)
    assert found.events == counts["events"] == sum(expected.values())
    assert len(rows_of(found.batches, "displays")) == expected["landed"] + expected["withheld"]  # the request says all
    assert len(rows_of(found.batches, QUARANTINE)) == expected["quarantined"]


def test_an_event_that_was_split_off_and_came_nowhere_is_still_counted() -> None:
    gathered = part()
    gathered.expect(2)
    gathered.add_events([(GOOD, None, None)])
    counts = counts_of(gathered.finish().batches)
    assert counts["events"] == 2  # one more than is accounted for: the books will not balance


def test_what_is_unreadable_is_a_payload_and_an_event_of_no_day() -> None:
    gathered = part()
    gathered.add_unreadable([Unreadable(Reason.UNREADABLE_CONTAINER, 12, b"file\0x")])
    found = gathered.finish()
    assert counts_of(found.batches) == Counter(payloads=1, events=1)
    (row,) = rows_of(found.batches, QUARANTINE)
    assert (row["reason"], row["payload_bytes"], row["body"]) == ("unreadable_container", 12, None)


def test_settings_of_a_run_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        DecodeSettings(KEYS, 4, str, Unprocessable()).slots = 5  # type: ignore[misc]
