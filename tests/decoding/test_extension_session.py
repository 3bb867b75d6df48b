"""A recorded session of the public extension's own telemetry code lands as the script that drove it says.

tests/clients/extension/README.md tells how it was recorded, and from what.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import landed_id, read_rows, run_batch
from tests.support.recordings import raw_container, recording
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.pseudonyms import Pseudonymizer, domain_key
from transforms.core.output.books import Books

SESSIONS = ("extension-applicationinsights", "extension-extension-telemetry", "extension-1ds")
"""GitHub's part of the session by each of the two libraries that the extension has for it, and Microsoft's part."""

WHOLE = ("displays", "outcomes", "endings", "persistence_checks", "redactions")
"""Datasets of which the script says every row; of the others it says some."""

OUTSIDE = {
    "github": {"applyPatchTool": 1, "inlineConversation.accept": 1, "inlineConversation.undo": 1, "provideInlineEdit": 1,
               "replaceStringTool": 1},
    "microsoft": {"applyPatchToolInvoked": 1, "codemapper.request": 1, "replaceStringToolInvoked": 1,
                  "supersededInlineEdit": 1},
}  # fmt: skip
"""Events of no dataset. `provideInlineEdit` without an acceptance is a next edit's prompt, sent two minutes later."""

REQUESTS = {"ghostText.issued": 10, "ghostText.produced": 8, "ghostText.empty": 2, "ghostText.performance": 5,
            "ghostText.cyclingPerformance": 1, "request.sent": 8, "request.response": 8, "request.shownWarning": 1}  # fmt: skip


class Landed:
    """A session and what became of it."""

    def __init__(self, name: str, folder: Path, books: Books) -> None:
        self.name, self.folder, self.books = name, folder, books
        self.sender = "microsoft" if name == "extension-1ds" else "github"
        self.said = recording(name)


@pytest.fixture(scope="module", params=SESSIONS)
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "raw.avro").write_bytes(raw_container(request.param, datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)))
    (folder / "known.toml").write_text('flights = ["nes-fast-model", "CopilotSuffixPercentcf", "not-listed"]\n')
    flags = (f"--known_values={folder}/known.toml", "--close_open_suggestions")
    books = run_batch(folder / "raw.avro", folder / "out", *flags)
    return Landed(request.param, folder / "out", books)


def expected(ring: KeyRing, machine: str, said: dict[str, Any]) -> dict[str, Any]:
    """A row that the script says, its ids as they land."""

    def pseudonym(domain: str, raw: str) -> str:
        return landed_id(ring, domain, machine, raw, "2026-11")

    columns = {"opportunity": "opportunity_id", "request": "request_id", "completion": "suggestion_id"}
    row = dict(said["row"])
    for domain, raw in said["ids"].items():
        row[columns[domain]] = pseudonym("suggestion" if domain == "completion" else domain, raw)
    if superseded := row.get("superseded_by"):
        row["superseded_by"] = pseudonym("opportunity", superseded)
    return row


def test_nothing_is_refused_and_every_word_is_known(landed: Landed) -> None:
    books = landed.books
    assert (books.quarantined, books.unknown_values) == ({}, {})
    assert books.outside_contract == OUTSIDE[landed.sender]
    assert books.events == books.landed + sum(OUTSIDE[landed.sender].values())


def test_every_row_that_the_script_says_lands_once_and_no_other(landed: Landed, ring: KeyRing) -> None:
    missing, left, machine = [], [], landed.said["person"]["machineId"]
    for dataset in sorted({r["dataset"] for r in landed.said["rows"]}):
        rows = read_rows(landed.folder, dataset)
        for each in (expected(ring, machine, r) for r in landed.said["rows"] if r["dataset"] == dataset):
            if found := [r for r in rows if all(r[k] == v for k, v in each.items())]:
                rows.remove(found[0])
                continue
            near = [r for r in rows if r["event_name"] == each["event_name"]]
            wrong = min(({k: (v, r[k]) for k, v in each.items() if r[k] != v} for r in near), key=len, default=None)
            missing.append((dataset, each["event_name"], wrong))
        left += [(dataset, r["event_name"]) for r in rows if dataset in WHOLE]
    assert not missing, "\n".join(map(str, missing))
    assert not left


def test_requests_of_ghost_text(landed: Landed) -> None:
    names = Counter(r["event_name"] for r in read_rows(landed.folder, "requests"))
    assert names == (REQUESTS if landed.sender == "github" else {})


def test_who_and_with_what(landed: Landed, ring: KeyRing) -> None:
    epoch, person = ring.epochs["2026-11"], landed.said["person"]
    raw = {"installation": person["machineId"], "session": person["sessionId"], "user": person["user"]}
    ids = {f"{d}_id": Pseudonymizer(domain_key(epoch, d)).of(value).hex() for d, value in raw.items()}
    what = {
        "editor": "vscode", "editor_version": "1.114.0", "extension_version": "0.42.0", "os": "linux",
        "os_version": "6.8.0", "architecture": "x64", "ui": "desktop", "remote": "ssh-remote",
        "extension": "copilot-chat",
    }  # fmt: skip
    # One event is sent with no more than its ids: ghostText.produced and ghostText.empty name no editor.
    rows = [r for name in WHOLE for r in read_rows(landed.folder, name)]
    assert rows
    for row in rows:
        assert {k: row[k] for k in ids | what} == ids | what, row["event_name"]


@pytest.mark.parametrize(("kind", "outcomes"), [
    ("ghost_text", {"accepted": 1, "partially_accepted": 1, "dismissed": 1, "rejected": 2}),
    ("next_edit", {"accepted": 1, "rejected": 1, "none": 2}),
    ("inline_chat", {"accepted": 1, "rejected": 1}),
    ("agent_edit", {"partially_accepted": 2, "none": 3}),
])  # fmt: skip
def test_one_life_for_each_suggestion(landed: Landed, kind: str, outcomes: dict[str, int]) -> None:
    if landed.sender == "microsoft":  # it knows no ghost text, and no single hunks
        outcomes = {"ghost_text": {}, "agent_edit": {"partially_accepted": 1, "none": 3}}.get(kind, outcomes)
    rows = [r for r in read_rows(landed.folder, "suggestions") if r["kind"] == kind]
    assert Counter(r["outcome"] for r in rows) == outcomes


def test_of_the_flights_the_named_ones_alone_land(landed: Landed) -> None:
    """Ghost text lists parameters beside assignments, all other events the assignments alone."""
    for dataset in (*WHOLE, "suggestions"):
        for row in read_rows(landed.folder, dataset):
            is_ghost_text = row["kind"] == "ghost_text" and dataset != "endings"
            named = "CopilotSuffixPercentcf;nes-fast-model" if is_ghost_text else "nes-fast-model"
            assert row["flights"] == named, (dataset, row.get("event_name"))
    listed = landed.said["flights"]["assignmentContext"].split(";")
    others = {item.partition(":")[0] for item in listed if item} - {"nes-fast-model"} | {"copilotcustomengine"}
    assert others == {"vsliv368", "secret-experiment", "copilotcustomengine"}
    for path in (p for p in landed.folder.rglob("*") if p.is_file()):
        assert not any(name.encode() in path.read_bytes() for name in others), path
