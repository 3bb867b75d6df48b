"""A bug that some payloads bring out: they go aside, each counted once, and the others land as if they had not been there."""

import json
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.errors import InternalError, KeyUnavailable
from tests.conftest import DATA, all_rows, read_rows, run_batch, sample, write_lines
from tests.fuzz import MOMENT, Job
from transforms.core.blocks import Block, RawRequest
from transforms.core.curating.curate import CuratedBucket
from transforms.core.decoding import columns, decoded, rows
from transforms.core.protecting import protect
from transforms.core.quarantine import unprocessable

MARK = "bug-brought-out"


class Bug(Exception):
    """Quotes data, as pyarrow's exceptions do."""


def raise_where(marked: bool, error: type[BaseException] = Bug) -> None:
    if marked:
        raise error(f"cannot do {MARK}")


def documents() -> list[dict[str, Any]]:
    """Every kind of event, with ids of their own."""
    found = []
    for number, path in enumerate(sorted((DATA / "samples").glob("*/pass/*.json"))):
        document = json.loads(path.read_text())
        document["data"]["baseData"].setdefault("properties", {})["unique_id"] = f"event-{number}"
        document["collector"]["received_at"] = f"2026-03-{1 + number % 3:02d}T10:00:00Z"
        found.append(document)
    return found


def marked(document: dict[str, Any]) -> dict[str, Any]:
    """The event with the mark in its language, its message and its code."""
    copy = json.loads(json.dumps(document))
    base = copy["data"]["baseData"]
    base["properties"] |= {"languageId": MARK, "message": MARK, "reason": MARK, "completionTextJson": f'"{MARK}"'}
    base["properties"] |= dict.fromkeys(("clientCompletionId", "headerRequestId", "opportunityId"), f"id of {MARK}")
    for exception in base.get("exceptions", ()):
        exception["message"] = MARK
    return dict(copy)


def has_mark(values: Any) -> bool:
    return MARK in repr(values.to_pylist() if isinstance(values, pa.Array) else values)


FAULTS: dict[str, tuple[Any, str]] = {
    "reading an event": (decoded, "decode_event"),
    "an event's name": (decoded, "wire_name"),
    "where it goes": (decoded, "targets"),
    "its exception": (columns, "exception_facts"),
    "its columns": (columns, "convert"),
    "its code": (decoded.DecodedPart, "_has_permitted_code"),
    "rows of events": (rows.WireArrays, "absorb"),
    "scrubbing": (protect, "scrub_column"),
    "all of protection": (protect, "scrub_fields"),
}


def with_fault(monkeypatch: pytest.MonkeyPatch, name: str, error: type[BaseException] = Bug) -> None:
    owner, attribute = FAULTS[name]
    real: Callable[..., Any] = getattr(owner, attribute)

    def faulty(*args: Any, **more: Any) -> Any:
        found = [a for a in args if isinstance(a, (bytes, str, list, pa.Array, dict)) or hasattr(a, "data")]
        raise_where(any(map(has_mark, found)), error)
        return real(*args, **more)

    monkeypatch.setattr(owner, attribute, faulty)


def published(curated: CuratedBucket, but: str = "quarantine") -> dict[Any, list[dict[str, Any]]]:
    return {key: table.to_pylist() for key, table in curated.tables.items() if key[0] != but}


def as_block(found: list[dict[str, Any]], rng: random.Random) -> Block:
    """Lines, single requests, and requests of many."""
    lines = [json.dumps(d).encode() for d in found]
    third = len(lines) // 3
    requests = [
        RawRequest(MOMENT.isoformat(), "81.2.69.142", "all", True, None, None, b) for b in lines[third : 2 * third]
    ]
    body = b"\n".join(lines[2 * third :]) if rng.random() < 0.5 else b"[" + b",".join(lines[2 * third :]) + b"]"
    requests.append(RawRequest(MOMENT.isoformat(), "81.2.69.142", "all", True, None, None, body))
    return Block(lines=lines[:third], requests=requests)


@pytest.mark.parametrize("name", FAULTS)
def test_all_others_land_as_if_it_had_not_been_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = sum(name.encode())
    rng = random.Random(seed)
    good = documents()
    rng.shuffle(good)
    bad = [marked(d) for d in rng.sample(good, 5)]
    for number, document in enumerate(bad):
        document["data"]["baseData"]["properties"]["unique_id"] = f"bad-{number}"
    mixed = [*good]
    places = sorted(rng.sample(range(len(good)), 5))
    for place, document in zip(places, bad, strict=True):
        mixed[place] = {**mixed[place]}  # the good one keeps its place; the bad one stands beside it
        mixed.insert(place, document)
    with_fault(monkeypatch, name)
    expected = Job(0).curated(_split_alike(mixed, bad, seed, without=True))
    found = Job(1000).curated(_split_alike(mixed, bad, seed, without=False))
    rows_of_bad = [r for t in found.tables.items() if t[0][0] == "quarantine" for r in t[1].to_pylist()]
    assert rows_of_bad
    assert {row["reason"] for row in rows_of_bad} == {"unprocessable"}
    assert MARK not in repr([{k: v for k, v in row.items() if k != "body"} for row in rows_of_bad])
    for counts in found.counts.values():
        assert counts.events == counts.accounted
    landed = sum(c.landed for c in found.counts.values()) - sum(c.landed for c in expected.counts.values())
    aside = sum(c.quarantined["unprocessable"] for c in found.counts.values())
    # A mark in `reason` takes a completion.finishReason out of the contract, before anything can fail on it.
    outside = sum(c.outside_contract.total() for c in found.counts.values())
    outside -= sum(c.outside_contract.total() for c in expected.counts.values())
    assert landed + aside + outside == len(bad)
    assert _good_rows(found, expected) == published(expected)


def _split_alike(mixed: list[dict[str, Any]], bad: list[dict[str, Any]], seed: int, *, without: bool) -> Block:
    """The same events in the same containers, with the bad ones or without."""
    rng = random.Random(seed)
    block = as_block(mixed, rng)
    if not without:
        return block
    gone = [json.dumps(d).encode() for d in bad]

    def cleaned(body: bytes) -> bytes:
        if body[:1] == b"[":
            return (
                b"["
                + b",".join(json.dumps(d).encode() for d in json.loads(body) if json.dumps(d).encode() not in gone)
                + b"]"
            )
        return b"\n".join(line for line in body.split(b"\n") if line not in gone)

    lines = [line for line in block.lines if line not in gone]
    requests = [r._replace(body=cleaned(r.body)) for r in block.requests if r.body not in gone]
    return Block(lines=lines, requests=requests)


def _good_rows(found: CuratedBucket, expected: CuratedBucket) -> dict[Any, list[dict[str, Any]]]:
    """What was published, less rows of bad events on which the fault did not work; suggestions only of good ones."""
    good = {row["event_id"] for rows in published(expected).values() for row in rows if "event_id" in row}
    lives = {row["suggestion_id"] for rows in published(expected).values() for row in rows if "closed_by" in row}
    kept = {}
    for key, rows_ in published(found).items():
        of = [r for r in rows_ if (r["event_id"] in good if "event_id" in r else r["suggestion_id"] in lives)]
        if of:
            kept[key] = of
    return kept


@pytest.mark.parametrize("error", [RecursionError, MemoryError, pa.ArrowInvalid])
def test_job_goes_on_and_names_each_bug_once(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = documents()
    run_batch(write_lines(tmp_path / "good.ndjson", good), tmp_path / "good")
    with_fault(monkeypatch, "scrubbing", error)
    bad = [marked(sample("errors/pass/unhandlederror")) for _ in range(3)]
    for number, document in enumerate(bad):
        document["data"]["baseData"]["properties"]["unique_id"] = f"bad-{number}"
    with caplog.at_level(logging.WARNING):
        books = run_batch(write_lines(tmp_path / "raw.ndjson", [*good, *bad]), tmp_path / "out")
    assert dict(books.quarantined) == {"unprocessable": 3}
    told = [r.getMessage() for r in caplog.records if r.name == unprocessable.__name__]
    assert len(told) == 1
    assert told[0].startswith(f"{error.__name__} at protect.py:")
    assert MARK not in caplog.text
    rows_found = read_rows(tmp_path / "out", "quarantine")
    assert {(row["stage"], row["dataset"], row["body"] is not None) for row in rows_found} == {
        ("ProtectEvents", "errors", True)
    }
    without = {k: v for k, v in all_rows(tmp_path / "out").items() if k not in ("quarantine", "ledger")}
    assert without == {k: v for k, v in all_rows(tmp_path / "good").items() if k != "ledger"}


def test_attached_row_goes_aside_alone_and_counts_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = sample("outcomes/pass/ghostText.accepted")
    document["data"]["baseData"]["properties"]["completionTextJson"] = f'"{MARK}"'
    with_fault(monkeypatch, "scrubbing")
    books = run_batch(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out")
    assert (books.events, books.landed, books.quarantined.total()) == (1, 1, 0)
    assert dict(books.rows) == {"outcomes": 1, "quarantine": 1}
    assert [row["dataset"] for row in read_rows(tmp_path / "out", "quarantine")] == ["snippets"]


def test_event_that_goes_aside_takes_what_is_attached_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = sample("outcomes/pass/ghostText.accepted")
    document["data"]["baseData"]["properties"]["completionTextJson"] = '"return 1"'
    real = protect.scrub_fields

    def faulty(schema: Any, *more: Any) -> Any:
        raise_where(schema.name == "outcomes")
        return real(schema, *more)

    monkeypatch.setattr(protect, "scrub_fields", faulty)
    books = run_batch(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out")
    assert (books.landed, dict(books.quarantined), dict(books.rows)) == (0, {"unprocessable": 1}, {"quarantine": 1})


@pytest.mark.parametrize(("level", "consent", "fate"), [("off", True, "off"), ("all", False, "unprocessable")])
def test_bug_before_consent_is_known_keeps_no_bytes(
    level: str, consent: bool, fate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = marked(sample())
    document["collector"] |= {"telemetry_level": level, "snippet_consent": consent}
    with_fault(monkeypatch, "reading an event")
    books = run_batch(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out")
    assert (books.withheld if level == "off" else books.quarantined) == {fate: 1}
    assert [row["body"] for row in read_rows(tmp_path / "out", "quarantine")] in ([], [None])


def test_more_than_may_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [marked(sample("errors/pass/unhandlederror")) for _ in range(6)]
    for number, document in enumerate(bad):
        document["data"]["baseData"]["properties"]["unique_id"] = f"bad-{number}"
    source = write_lines(tmp_path / "raw.ndjson", bad)
    with_fault(monkeypatch, "scrubbing")
    monkeypatch.setattr(unprocessable, "MOST_UNPROCESSABLE", 6)
    assert run_batch(source, tmp_path / "six").quarantined == {"unprocessable": 6}
    monkeypatch.setattr(unprocessable, "MOST_UNPROCESSABLE", 5)
    with pytest.raises(
        InternalError, match=r"^Bug at protect.py:\d+; .* the 6 payloads .* more than .* \(5\)$"
    ) as stopped:
        run_batch(source, tmp_path / "five")
    assert MARK not in str(stopped.value)


def test_share_of_many_events_may_go_aside() -> None:
    counted = unprocessable.Unprocessable()
    counted.saw(5_000_000)
    for _ in range(5000):
        counted.add(Bug())
    with pytest.raises(InternalError):
        counted.add(Bug())


def test_what_is_no_payloads_fault_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_fault(monkeypatch, "scrubbing", KeyUnavailable)
    source = write_lines(tmp_path / "raw.ndjson", [sample(), marked(sample("errors/pass/unhandlederror"))])
    with pytest.raises(KeyUnavailable):
        run_batch(source, tmp_path / "out")


def test_body_on_which_splitting_fails_is_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(body: bytes, *more: Any) -> Any:
        raise_where(MARK.encode() in body)
        return real(body, *more)

    real = decoded.events_of_body
    monkeypatch.setattr(decoded, "events_of_body", faulty)
    good, bad = b"\n".join([json.dumps(sample()).encode()] * 2), MARK.encode() + b"\n"
    requests = [RawRequest(MOMENT.isoformat(), None, "all", True, None, None, b) for b in (good, bad)]
    (counts,) = Job(1).curated(Block(requests=requests)).counts.values()
    assert (counts.payloads, counts.events, counts.landed, counts.duplicate) == (2, 3, 1, 1)
    assert counts.quarantined == {"unprocessable": 1}
