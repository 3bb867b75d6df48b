"""What was put aside opens as what it was, with the operators' key and no other one."""

from datetime import datetime

import pytest
from hypothesis import given, settings

from schemas.errors import KeyUnavailable
from tests.conftest import PRIVATE
from tests.quarantine.test_rows import PAYLOADS, row_of
from transforms.core.keys.private_keys import load_private
from transforms.core.quarantine.opening import block_of, open_body
from transforms.core.quarantine.rows import Payload

OPERATORS = load_private(str(PRIVATE / "operators.json"))


@settings(max_examples=50)
@given(PAYLOADS)
def test_a_body_opens_as_the_payload_that_it_was(payload: Payload) -> None:
    row = row_of(payload)
    opened = open_body(OPERATORS, row["body_key_id"], row["body"], row["container"])
    assert opened.line == payload.line
    if payload.request is None:
        assert opened.request is None
    else:
        assert opened.request == payload.request._replace(body=payload.line, is_stamped=True)  # others go as lines
        assert datetime.fromisoformat(opened.request.received_at).tzinfo is not None
    assert row_of(opened)["payload_id"] == row["payload_id"], "replayed, it bears the same name"


@settings(max_examples=30)
@given(PAYLOADS)
def test_a_block_holds_it_as_reading_does(payload: Payload) -> None:
    block = block_of([payload])
    if payload.request is None:
        assert (block.lines, block.requests) == ([payload.line], [])
    else:
        assert block.lines == []
        assert [request.body for request in block.requests] == [payload.line]


def test_another_key_opens_nothing() -> None:
    row = row_of(Payload(b"{}"))
    prompts = load_private(str(PRIVATE / "prompts.json"))
    with pytest.raises(KeyUnavailable):
        open_body(prompts, row["body_key_id"], row["body"], row["container"])
