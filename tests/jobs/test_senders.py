"""People who send one and the same ids: each keeps what is hers, whatever the others send, in every number of buckets."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import verify
from pipelines.options import ingest_flags
from tests.conftest import all_rows, run_batch, sample, write_lines
from tests.support.windowed import Windows
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.output.ledger import differences, imbalances, read_marks

WHO = (
    {"client_machineid": "a" * 64}, {"client_machineid": "b" * 64}, {"client_machineid": "c" * 64},
    {"client_sessionid": "session-of-somebody"}, {"copilot_trackingId": "d" * 32}, {},
)  # fmt: skip
"""Three installations; one who names a session alone, one who names a user alone, and one who names nothing."""

KINDS = (
    "requests/pass/ghostText.issued", "displays/pass/ghostText.shown", "outcomes/pass/ghostText.accepted",
    "persistence_checks/pass/ghostText.stillInCode", "redactions/pass/repetition.detected", "snippets/pass/engine.prompt",
    "errors/pass/ghostText.failed", "endings/pass/provideInlineEdit_of_ghost_text", "outcomes/pass/provideInlineEdit",
    "persistence_checks/pass/reportInlineEditSurvivalRate", "outcomes/pass/edit.hunk.action",
)  # fmt: skip
START = datetime.fromisoformat("2026-03-31T22:50:00+00:00")
_PERSONAL = ("client_machineid", "client_sessionid", "copilot_trackingId", "common_vscodemachineid")


def event(kind: str, person: int, second: int, number: int, life: int = 0, start: datetime = START) -> bytes:
    """`number` is what its own id says, `life` what the ids of its suggestion, request and opportunity say."""
    document = sample(kind)
    document["tags"], properties = {}, document["data"]["baseData"]["properties"]
    for name in _PERSONAL:
        properties.pop(name, None)
    ids = {"unique_id": f"event-{number}", "clientCompletionId": f"completion-{life}", "requestId": f"request-{life}",
           "headerRequestId": f"request-{life}", "opportunityId": f"opportunity-{life}"}  # fmt: skip
    properties |= {name: text for name, text in ids.items() if name in properties or name == "unique_id"} | WHO[person]
    document["collector"] |= {"telemetry_level": "all", "snippet_consent": True}
    document["collector"]["received_at"] = document["time"] = (start + timedelta(seconds=second)).isoformat()
    return json.dumps(document).encode()


def of_person(person: int) -> list[bytes]:
    """Each kind of event, ids that others send too, and copies."""
    lines = [event(kind, person, 7 * number + person, number) for number, kind in enumerate(KINDS)]
    return lines + lines[:3]


LAST = event("requests/pass/ghostText.issued", 0, 7000, 99, 9)
"""The latest event, which every input has: by it the lives of the others are over."""


def rows_of(output: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: rows for name, rows in all_rows(output).items() if name != "ledger"}


def distinct(outputs: Iterable[Path]) -> set[str]:
    return {f"{name} {row!r}" for output in outputs for name, rows in rows_of(output).items() for row in rows}


def ran(lines: list[bytes], folder: Path, *flags: str) -> Books:
    folder.mkdir(exist_ok=True)
    return run_batch(write_lines(folder / "raw.ndjson", lines), folder / "out", *flags)


def test_rows_are_the_same_in_every_number_of_buckets_and_are_each_ones_own(tmp_path: Path) -> None:
    lines = [line for person in range(len(WHO)) for line in of_person(person)]
    told = [ran([*lines, LAST], tmp_path / str(n), f"--buckets={n}") for n in (1, 2, 3, 16)]
    assert told[1:] == told[:1] * 3
    outputs = [tmp_path / str(n) / "out" for n in (1, 2, 3, 16)]
    assert all(rows_of(output) == rows_of(outputs[0]) for output in outputs[1:])
    assert told[0].duplicate == 3 * len(WHO), "copies of one's own, and of nobody else's"
    for person in range(len(WHO)):
        ran([*of_person(person), LAST], tmp_path / f"alone-{person}", "--buckets=1")
    assert distinct(outputs[:1]) == distinct(tmp_path / f"alone-{person}" / "out" for person in range(len(WHO)))
    for output in outputs:
        verify.main([f"--datasets={output}"])


def test_who_copies_a_completion_id_writes_into_her_own_suggestion_alone(tmp_path: Path) -> None:
    shown, accepted = (event(kind, 0, second, second) for second, kind in enumerate(KINDS[1:3]))
    ran(
        [shown, accepted, event(KINDS[2], 1, 3, 0), event(KINDS[2], 1, 4, 4)],
        tmp_path,
        "--buckets=1",
        "--close_open_suggestions",
    )
    rows = rows_of(tmp_path / "out")
    assert sorted((r["display_count"], r["accept_count"]) for r in rows["suggestions"]) == [(0, 2), (1, 1)]
    assert len({r["suggestion_id"] for r in rows["suggestions"]}) == 2
    assert len({r["event_id"] for r in rows["outcomes"]}) == 3


MOMENTS = st.lists(
    st.tuples(st.integers(0, 5400), st.integers(0, 5), st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 1)),
    min_size=2, max_size=10,
)  # fmt: skip


@settings(max_examples=8)
@given(MOMENTS, st.sets(st.integers(0, 9), max_size=3))
def test_batch_and_windows_of_any_number_of_buckets_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, moments: list[tuple[int, int, str, int, int]], restarts: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    lines = [((START + timedelta(seconds=second)).timestamp(), event(kind, person, second, number, life))
             for second, person, kind, number, life in sorted(moments)]  # fmt: skip
    for buckets in (1, 2, 16):
        ran([line for _, line in lines], folder / str(buckets), f"--buckets={buckets}")
    for buckets in (1, 16):
        Windows(folder / f"stream-{buckets}", buckets=buckets).run(lines, 900, restarts)
    expected = rows_of(folder / "1" / "out")
    for name in ("2/out", "16/out", "stream-1", "stream-16"):
        assert rows_of(folder / name) == expected, name
        assert not [*imbalances(read_marks(Output(str(folder / name))))]


def made_older(output: Path) -> None:
    """As an output that version 4 began: it does not know of senders."""
    kept = json.loads((output / "_output.json").read_text())
    assert kept.pop("sender_from") == ""
    (output / "_output.json").write_text(json.dumps({**kept, "version": 4}))


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What two people sent on the last evening of March, as version 4 took it; their lives are open."""
    with monkeypatch.context() as patched:
        patched.setattr(ingest_flags, "sender_from", lambda _: "9999-99")
        ran(EVENING, tmp_path / "older", "--buckets=2")
    made_older(tmp_path / "older" / "out")
    return tmp_path / "older" / "out"


MIDNIGHT = datetime.fromisoformat("2026-04-01T00:00:00+00:00")
EVENING = [event(KINDS[1], person, 60 * person - 600, person, person, MIDNIGHT) for person in (0, 1)]


def test_an_output_of_the_version_before_knows_its_copies_and_joins_to_the_end_of_its_month(
    older: Path, tmp_path: Path
) -> None:
    before = rows_of(older)
    copies = [*EVENING[:1], EVENING[1].replace(b"2026-03-31T23:51", b"2026-03-31T23:55")]
    assert ran(copies, tmp_path / "copies").duplicate == 0
    books = run_batch(tmp_path / "copies" / "raw.ndjson", older)
    assert (books.duplicate, books.landed) == (2, 0)
    assert rows_of(older) == before
    accepted = event(KINDS[2], 0, -300, 7, 0, MIDNIGHT)
    run_batch(write_lines(tmp_path / "later.ndjson", [accepted]), older, "--close_open_suggestions")
    rows = rows_of(older)["suggestions"]
    assert sorted((r["display_count"], r["outcome"]) for r in rows) == [(1, "accepted"), (1, "none")]
    verify.main([f"--datasets={older}"])


def test_what_is_open_at_the_end_of_that_month_is_told_in_two_parts(older: Path, tmp_path: Path) -> None:
    accepted = [event(KINDS[2], 0, 300, 7, 0, MIDNIGHT), event(KINDS[2], 1, 330, 8, 0, MIDNIGHT)]
    books = run_batch(write_lines(tmp_path / "april.ndjson", accepted), older, "--close_open_suggestions")
    assert (books.landed, books.duplicate, books.late) == (2, 0, {})
    rows = rows_of(older)["suggestions"]
    assert sorted((r["key_id"], r["display_count"], r["outcome"]) for r in rows) == [
        ("2026-03", 1, "none"), ("2026-03", 1, "none"), ("2026-04", 0, "accepted"), ("2026-04", 0, "accepted"),
    ]  # fmt: skip
    assert len({r["suggestion_id"] for r in rows}) == 4
    verify.main([f"--datasets={older}"])


@pytest.mark.parametrize("sender_from", ["2026-04", "2026-03", ""])
def test_a_stream_goes_on_over_the_change_and_its_books_balance(tmp_path: Path, sender_from: str) -> None:
    """Also where the change comes within a month, which no output does: nothing raises, and every row is counted."""
    lines = [((MIDNIGHT + timedelta(seconds=s)).timestamp(), event(KINDS[n % 4], n % 3, s, n // 2, n % 2, MIDNIGHT))
             for n, s in enumerate([*range(-3000, 6000, 150), 12_000])]  # fmt: skip
    half = len(lines) // 3
    Windows(tmp_path, sender_from="9999-99").run(lines[:half], 300)
    Windows(tmp_path, sender_from=sender_from).run(lines[half:], 300)
    marks = read_marks(Output(str(tmp_path)))
    assert not [*imbalances(marks), *differences(Output(str(tmp_path)), marks)]
    rows = rows_of(tmp_path)
    assert sum(len(rows[name]) for name in ("requests", "displays", "outcomes", "persistence_checks")) == len(lines)
    assert sum(row["display_count"] for row in rows["suggestions"]) == len(rows["displays"])
