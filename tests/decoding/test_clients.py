"""Bodies that the real clients sent (tests/clients/record.js recorded them): every field where it belongs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.snippets import read_snippets
from tests.conftest import PRIVATE, landed_id, read_rows, run_batch
from tests.support.recordings import raw_container
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.pseudonyms import Pseudonymizer, domain_key
from transforms.core.output.layout import Output

CLIENTS = ("applicationinsights", "extension-telemetry-appinsights", "extension-telemetry-1ds")
SESSION = "b4f0ad2b-0000-4000-8000-0000000000011774779232000"
EXPECTED = {
    "requests": {"event_name": "ghostText.issued", "is_cycling": False, "is_multiline": True, "prompt_chars": 900,
                 "prompt_suffix_chars": 120, "prompt_compute_ms": 3.25, "document_chars": 1290, "document_lines": 41},
    "displays": {"event_name": "ghostText.shown", "display_source": "network", "completion_chars": 65, "choice_index": 0,
                 "completion_lines": 4, "time_to_produce_ms": 412.5, "time_since_issued_ms": 430.5, "mean_logprob": -0.25},
    "outcomes": {"event_name": "ghostText.accepted", "outcome": "accepted", "completion_type": "full",
                 "accepted_chars": 65, "completion_lines": 4, "time_since_displayed_ms": 1820.25},
    "persistence_checks": {"check_s": 30, "relative_edit_distance": 0.15, "lex_edit_distance_tokens": 3,
                           "completion_tokens": 20, "edit_distance_chars": 19, "is_still_in_code": True,
                           "insertion_offset_chars": 1204, "tracked_offset_chars": 1204, "found_offset_chars": 1204},
    "redactions": {"event_name": "ghostText.empty", "reason": "all choices redacted", "category": "unspecified"},
    "snippets": {"event_name": "engine.prompt", "language": "python", "engine": "gpt-41-copilot"},
}  # fmt: skip


@pytest.fixture(scope="module", params=CLIENTS)
def landed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "raw.avro").write_bytes(raw_container(request.param, datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)))
    books = run_batch(folder / "raw.avro", folder / "out")
    assert (books.events, books.landed, books.outside_contract) == (9, 8, {"other": 1})
    return request.param, folder / "out"


@pytest.mark.parametrize("dataset", sorted(EXPECTED))
def test_measures_and_facts_land_in_their_columns(landed: tuple[str, Path], dataset: str) -> None:
    (row,) = read_rows(landed[1], dataset)
    assert {k: row[k] for k in EXPECTED[dataset]} == EXPECTED[dataset]


def test_common_columns(landed: tuple[str, Path], ring: object) -> None:
    client, output = landed
    (row,) = read_rows(output, "displays")
    epoch = ring.epochs["2026-11"]
    assert row["installation_id"] == Pseudonymizer(domain_key(epoch, "installation")).of("6d" * 32).hex()
    assert row["session_id"] == Pseudonymizer(domain_key(epoch, "session")).of(SESSION).hex()
    completion = "d2b10000-0000-4000-8000-000000000004"
    assert row["suggestion_id"] == landed_id(ring, "suggestion", "6d" * 32, completion, "2026-11")
    if client != "extension-telemetry-1ds":  # 1DS knows no tags and this event no tracking id
        user = Pseudonymizer(domain_key(epoch, "user")).of("0123456789abcdef0123456789abcdef").hex()
        assert row["user_id"] == user
    assert (row["editor"], row["editor_version"], row["extension_version"]) == ("vscode", "1.114.0", "0.42.0")
    assert row["extension"] == "copilot-chat"
    assert (row["os"], row["architecture"]) == ("linux", "x64")
    assert row["os_version"] in ("6.8.0", "Linux 6.8.0")
    assert (row["country"], row["region"], row["city"]) == ("GB", "England", "London")
    assert row["ui"] == (None if client == "applicationinsights" else "desktop")
    assert row["remote"] == (None if client == "applicationinsights" else "ssh-remote")
    assert row["received_at"] == datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
    assert row["occurred_at"].date() == datetime(2026, 11, 24).date()


def test_errors(landed: tuple[str, Path]) -> None:
    rows = {r["event_name"]: r for r in read_rows(landed[1], "errors")}
    token = rows.pop("auth.new_token")
    assert token["expires_at"] == datetime.fromtimestamp(1795520000, UTC)
    assert token["adjusted_expires_at"] == datetime.fromtimestamp(1795516400, UTC)
    (error,) = rows.values()
    assert error["event_name"] == ("unhandlederror" if landed[0].endswith("1ds") else "exception")
    assert (error["error_type"], error["message"]) == ("Error", "cannot read <REDACTED:path>")
    assert "at load (<REDACTED:path>/node_modules/loader/index.js:10:5)" in error["stack"]
    assert error["redaction_count"] >= 2


def test_split_prompt_is_whole_again(landed: tuple[str, Path]) -> None:
    (table,) = read_snippets(Output(str(landed[1])), load_private(str(PRIVATE / "prompts.json")), None, None)
    (prompt,) = table["prompt_json"].to_pylist()
    # this client trims every value that it sends, so a part that ends in a space comes one shorter
    assert len(prompt) == (19000 if landed[0] == "extension-telemetry-appinsights" else 19001)
    assert read_rows(landed[1], "snippets")[0]["prompt_chars"] == len(prompt)
    assert prompt.startswith('{"prefix":"def area(width, height)')
