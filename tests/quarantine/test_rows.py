"""Quarantine rows: what goes aside can go through the job again, is named alike each time, and opens for operators alone."""

import io
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Reason
from schemas.registry import load, raw_schemas
from tests.conftest import KEY_RING, PRIVATE, sample
from transforms.core.batches import QUARANTINE
from transforms.core.blocks import Block, RawRequest, Unreadable
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys import keyring
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.roles import STANDING
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.quarantine.rows import Payload, Quarantine, Refusal
from transforms.core.reading.payloads import read_blocks

KEYS = step_keys_of(keyring.load(KEY_RING)).quarantine
WHEN = datetime(2026, 3, 29, 10, tzinfo=UTC)
REFUSAL = Refusal(Reason.INVALID_VALUE, "check_s", "whole number")
REQUESTS = st.builds(
    RawRequest, st.just(WHEN.isoformat()), st.sampled_from(["8.8.8.8", None]), st.sampled_from(["all", "off", None]),
    st.sampled_from([True, False, None]), st.sampled_from(["application/json", None]), st.sampled_from(["gzip", None]),
    st.binary(max_size=20),
)  # fmt: skip
PAYLOADS = st.builds(Payload, st.binary(max_size=20), st.none() | REQUESTS)


def row_of(payload: Payload, **more: Any) -> dict[str, Any]:
    quarantine = Quarantine(KEYS, 4)
    quarantine.add(payload, REFUSAL, WHEN, **{"keep_body": True, **more})
    batch = quarantine.drain()
    assert batch is not None
    (row,) = batch.batch.to_pylist()
    return dict(row)


@given(PAYLOADS)
@settings(max_examples=30)
def test_a_body_opens_for_the_operators_and_is_the_payload_with_its_stamp(payload: Payload) -> None:
    row = row_of(payload)
    body = load_private(str(PRIVATE / "operators.json")).open(STANDING, row["body"])
    if payload.request is None:
        assert (row["container"], body) == ("ndjson", payload.line)
        return
    record = fastavro.schemaless_reader(io.BytesIO(body), raw_schemas()["raw_request.1"])
    assert record["received_at"] == WHEN
    assert record["body"] == payload.line
    for name in ("client_ip", "telemetry_level", "snippet_consent", "content_type", "content_encoding"):
        assert record[name] == getattr(payload.request, name)


@given(PAYLOADS, PAYLOADS)
@settings(max_examples=30)
def test_a_payload_is_named_alike_in_every_run_and_unlike_any_other(one: Payload, other: Payload) -> None:
    ids = [row_of(p)["payload_id"] for p in (one, one, other)]
    assert ids[0] == ids[1]
    assert (ids[0] == ids[2]) == (one.replayable() == other.replayable())
    assert row_of(one, keep_body=False)["payload_id"] == ids[0]


def test_a_body_that_may_not_be_kept_leaves_nothing_of_it(ring: keyring.KeyRing) -> None:
    row = row_of(Payload(b"zofia@example.com"), keep_body=False)
    assert (row["body"], row["body_key_id"], row["payload_bytes"]) == (None, None, 17)
    assert "zofia" not in repr(row)


def test_rows_fit_their_schema_and_lie_in_the_slots() -> None:
    quarantine = Quarantine(KEYS, 3)
    for number in range(50):
        quarantine.add(
            Payload(b"%d" % number), REFUSAL, None, keep_body=False, dataset="displays", is_primary=number % 2 == 0
        )
    quarantine.add_unreadable(Unreadable(Reason.DAMAGED_BLOCK, 7, b"file\0a"))
    batch = quarantine.drain()
    assert batch is not None
    assert batch.kind == QUARANTINE
    assert batch.batch.schema == load(QUARANTINE).sealed_arrow
    rows = batch.batch.to_pylist()
    assert {row["slot_code"] for row in rows} == {0, 1, 2}
    assert (rows[-1]["container"], rows[-1]["reason"], rows[-1]["payload_bytes"]) == ("file", "damaged_block", 7)


def test_draining_empties() -> None:
    quarantine = Quarantine(KEYS, 4)
    assert quarantine.drain() is None
    quarantine.add(Payload(b"x"), REFUSAL, WHEN, keep_body=False)
    assert quarantine.drain() is not None
    assert quarantine.drain() is None


def test_it_is_never_pickled() -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Quarantine(KEYS, 4))


def test_a_body_goes_through_the_job_again_and_lands_in_the_same_row() -> None:
    """What a replay reads is the event with its stamp: refused again for the same reason, under the same name."""
    wrong = {**sample(), "time": "noon"}
    bare = json.dumps({k: v for k, v in wrong.items() if k != "collector"}).encode()
    request = RawRequest(WHEN.isoformat(), "8.8.8.8", "all", True, None, None, bare)
    decoder = BlockDecoder(KEYS, 4)
    keys = load_private(str(PRIVATE / "operators.json"))
    for block in (Block(lines=[json.dumps(wrong).encode()]), Block(requests=[request])):
        (row,) = (r for b in decoder.decode(block) if b.kind == QUARANTINE for r in b.batch.to_pylist())
        body = keys.open(STANDING, row["body"])
        if row["container"] == "avro":
            out = io.BytesIO()
            schema = raw_schemas()["raw_request.1"]
            fastavro.writer(out, schema, [fastavro.schemaless_reader(io.BytesIO(body), schema)])
            body = out.getvalue()
        (again,) = read_blocks(lambda body=body: io.BytesIO(body), "replay")
        (second,) = (r for b in decoder.decode(again) if b.kind == QUARANTINE for r in b.batch.to_pylist())
        assert {k: v for k, v in second.items() if k != "body"} == {k: v for k, v in row.items() if k != "body"}
