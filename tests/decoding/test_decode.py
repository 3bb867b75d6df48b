"""The decoder: it remembers nothing of a block, gives each batch away once, and counts every event once."""

import gc
import json
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InternalError, Reason
from schemas.known_values import PACKAGED, Vocabulary
from schemas.registry import EVENT_DATASETS
from tests.conftest import DATA, KEY_RING, sample
from transforms.core.blocks import Block, RangeRead, RawRequest, Taken, Unreadable
from transforms.core.decoding import decoded
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.quarantine.unprocessable import Unprocessable

KEYS = step_keys_of(keyring.load(KEY_RING)).quarantine
STAMP = sample()["collector"]
GOOD = [json.dumps(json.loads(path.read_text())).encode() for path in sorted((DATA / "samples").glob("*/pass/*.json"))]
OFF = json.dumps({**sample(), "collector": {**STAMP, "telemetry_level": "off"}}).encode()
OUTSIDE = json.dumps({"name": "zofia.event", "data": {"baseData": {}}, "collector": STAMP}).encode()
BAD = [b"{", b"", b"[]", b"7", b"\xff", b'{"collector": 7}', json.dumps({**sample(), "time": "noon"}).encode()]
LINES = st.sampled_from([*GOOD, OFF, OUTSIDE, *BAD])
REQUESTS = st.builds(
    RawRequest,
    st.sampled_from([STAMP["received_at"], "1999-12-31T00:00:00+00:00"]),
    st.sampled_from(["8.8.8.8", None]),
    st.sampled_from(["all", "error", "off", None]),
    st.booleans(),
    st.none(),
    st.sampled_from([None, "gzip", "br"]),
    st.lists(LINES, max_size=3).map(b"\n".join) | LINES | st.just(b"\x1f\x8bjunk"),
    st.booleans(),
)
UNREADABLE = Unreadable(Reason.DAMAGED_BLOCK, 5, b"file")
BLOCKS = st.builds(
    Block, st.lists(LINES, max_size=6), st.lists(REQUESTS, max_size=3), st.lists(st.just(UNREADABLE), max_size=1),
    st.lists(st.just(Taken("0", 1, 2)), max_size=1), st.lists(st.just(RangeRead("ab", 1, 0)), max_size=1),
)  # fmt: skip


def rows_of(batches: Any) -> list[tuple[str, Any]]:
    """Everything in the batches, bodies aside: they are sealed freshly each time."""
    return [(b.kind, [{k: v for k, v in row.items() if k != "body"} for row in b.batch.to_pylist()]) for b in batches]


def counts_of(rows: list[tuple[str, Any]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for kind, found in rows:
        for row in found:
            if kind == "counts":
                counts[row["kind"]] += row["count"]
            elif kind in EVENT_DATASETS:
                counts["landed"] += row["is_primary"]
            elif kind == "quarantine":
                counts["quarantined"] += row["is_primary"]
    return counts


@settings(max_examples=25)
@given(BLOCKS)
def test_every_event_has_one_fate(block: Block) -> None:
    found = BlockDecoder(KEYS, 4).decode(block)
    counts = counts_of(rows_of(found))
    fates = counts["landed"] + counts["quarantined"] + counts["withheld"] + counts["outside_contract"]
    assert counts["events"] == fates == found.events + len(block.unreadable)
    assert counts["payloads"] == len(block.lines) + len(block.requests) + len(block.unreadable)


@settings(max_examples=25)
@given(st.lists(BLOCKS, min_size=1, max_size=3))
def test_nothing_of_a_block_stays_for_the_next_one(blocks: list[Block]) -> None:
    decoder = BlockDecoder(KEYS, 4)
    for block in blocks:
        again, fresh = decoder.decode(block), BlockDecoder(KEYS, 4).decode(block)
        assert again.events == fresh.events
        assert rows_of(again) == rows_of(fresh)


def test_one_decoder_serves_many_threads() -> None:
    decoder = BlockDecoder(KEYS, 4)
    blocks = [Block(lines=GOOD[n:] + GOOD[:n]) for n in range(8)]
    expected = [rows_of(decoder.decode(block)) for block in blocks]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda block: rows_of(decoder.decode(block)), blocks)) == expected


def test_each_batch_is_given_once_and_can_be_forgotten() -> None:
    found = BlockDecoder(KEYS, 4).decode(Block(lines=GOOD))
    batches = iter(found)
    first = weakref.ref(next(batches))
    gc.collect()
    assert first() is None, "who has protected a batch needs no memory for it"
    assert len(list(batches)) > 3
    assert list(found) == []
    assert found.events == len(GOOD)


def test_order_is_datasets_quarantine_counts_and_what_was_read() -> None:
    block = Block([*GOOD, b"{"], taken=[Taken("0", 0, 1)], read=[RangeRead("ab", 1, 0)])
    kinds = [batch.kind for batch in BlockDecoder(KEYS, 4).decode(block)]
    assert kinds[-4:] == ["quarantine", "counts", "taken", "ranges"]
    assert set(kinds[:-4]) <= set(EVENT_DATASETS)


def test_an_empty_block_gives_nothing() -> None:
    found = BlockDecoder(KEYS, 4).decode(Block())
    assert (found.events, list(found)) == (0, [])


@settings(max_examples=25)
@given(st.lists(LINES, min_size=1, max_size=6), st.sets(st.integers(0, 5)))
def test_a_bug_costs_only_the_lines_that_bring_it_out(lines: list[bytes], bad_places: set[int]) -> None:
    """Decoding in parts gives what decoding whole would have given without the bad lines."""
    marked = [
        line if n not in bad_places else b'{"bug": %d, "collector": %b}' % (n, json.dumps(STAMP).encode())
        for n, line in enumerate(lines)
    ]
    real = decoded.decode_event

    def faulty(line: bytes, **more: Any) -> Any:
        if line.startswith(b'{"bug"'):
            raise LookupError("a bug of ours")
        return real(line, **more)

    decoder = BlockDecoder(KEYS, 4, unprocessable=Unprocessable(10**6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoded, "decode_event", faulty)
        found = decoder.decode(Block(lines=marked))
    good = [line for line in marked if not line.startswith(b'{"bug"')]
    expected = counts_of(rows_of(decoder.decode(Block(lines=good))))
    bugs = len(marked) - len(good)
    assert found.events == len(marked)
    assert counts_of(rows_of(found)) == expected + Counter(events=bugs, payloads=bugs, quarantined=bugs)


def test_more_bugs_than_may_stop_and_leave_the_decoder_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = BlockDecoder(KEYS, 4, unprocessable=Unprocessable(1))
    with monkeypatch.context() as patch:
        patch.setattr(decoded, "wire_name", lambda _: "".index("x"))
        with pytest.raises(InternalError, match=r"^ValueError at .*--max_unprocessable \(1\)$"):
            decoder.decode(Block(lines=GOOD[:3]))
    assert decoder.decode(Block(lines=GOOD)).events == len(GOOD)


def test_an_event_that_is_lost_between_splitting_and_decoding_is_counted_all_the_same() -> None:
    """Then the events are more than their fates, and the books do not balance: that is how a loss is seen."""
    settings_ = decoded.DecodeSettings(KEYS, 4, str, Unprocessable())
    part = decoded.DecodedPart(settings_)
    part.expect(3)
    part.add_events([(OFF, None, None)])
    found = part.finish()
    assert found.events == 1
    assert counts_of(rows_of(found.batches)) == Counter(events=3, withheld=1)


def test_lists_are_read_only_where_something_of_them_may_land() -> None:
    event = sample("displays/pass/ghostText.shown")
    event["data"]["baseData"]["properties"]["abexp.assignmentcontext"] = "a:1;b:2"
    line = json.dumps(event).encode()
    for vocabulary, flights in ((PACKAGED, None), (Vocabulary({"flights": ("a",)}), "a:1;b:2")):
        batches = list(BlockDecoder(KEYS, 4, vocabulary).decode(Block(lines=[line])))
        assert batches[0].batch["flights"].to_pylist() == [flights]
