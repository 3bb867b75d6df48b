"""pipelines.check: the same counts as the batch job's ledger, and what is said of each event."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines import batch, check, generate
from pipelines.checking.fates import Fate, Verdict
from schemas.errors import InvalidOptions, NothingToRead, UnusableInput
from tests.conftest import DATA, sample, write_lines
from transforms.core.decoding import decoded
from transforms.core.decoding.envelopes import decode_event
from transforms.core.keys import keyring
from transforms.core.output.books import Books

ROOT = Path(__file__).parents[2]
CASES = sorted(p for p in (DATA / "cases").iterdir() if p.is_file() and p.suffix not in (".mmdb", ".md", ".json"))


def checked(*arguments: Any) -> Any:
    return check.check(check._parser().parse_args([str(a) for a in arguments]))


def books_of_a_job(raw: Path, folder: Path, months: set[str], *more: str) -> Books:
    """Those of the batch job, with a key for each month that the check names."""
    ring, _ = keyring.create()
    for month in sorted(months):
        ring.add_month(month)
    (folder / "ring").mkdir(mode=0o700)
    path = folder / "ring" / "ring.json"
    path.write_bytes(keyring.dumps(ring))
    path.chmod(0o600)
    return batch.run([f"--input={raw}", f"--output={folder}/out", f"--key_ring={folder}/ring", "--buckets=4",
                      "--close_open_suggestions", *more])  # fmt: skip


def assert_adds_up(found: Any) -> None:
    """What is said of each event adds up to the books."""
    books, fates = found.published.books, found.fates
    assert books.events == books.accounted == len(fates)
    verdicts = Counter(fate.verdict for fate in fates)
    assert (verdicts[Verdict.LANDED], verdicts[Verdict.DUPLICATE]) == (books.landed, books.duplicate)
    for verdict in (Verdict.WITHHELD, Verdict.OUTSIDE_CONTRACT, Verdict.QUARANTINED):
        assert Counter(fate.key for fate in fates if fate.verdict is verdict) == getattr(books, verdict), verdict
    rows = Counter(dataset for fate in fates for dataset in fate.datasets)
    for dataset, count in rows.items():
        assert count == books.rows[dataset], dataset
    for told, column in (("unknown_values", "unknown_values"), ("redactions", "scrubbed"),
                         ("withheld_values", "withheld_fields")):  # fmt: skip
        assert sum((Counter(getattr(fate, told)) for fate in fates), Counter()) == getattr(books, column)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    generate.main([f"--output={folder}/day", "--events=1500", "--seed=3", "--date=2026-03-29"])
    return folder / "day"


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name)
def test_of_every_case_the_totals_are_those_of_the_ledger(path: Path, tmp_path: Path) -> None:
    found = checked(path, "--format=json")
    assert_adds_up(found)
    assert found.published.books == books_of_a_job(path, tmp_path, found.published.months)


def test_of_generated_files_of_every_kind_the_totals_are_those_of_the_ledger(day: Path, tmp_path: Path) -> None:
    found = checked(day / "raw", "--format=json")
    assert_adds_up(found)
    assert found.published.books == books_of_a_job(day / "raw", tmp_path, found.published.months)
    assert {Path(fate.place.file).suffix for fate in found.fates} == {".ndjson", ".gz", ".zst", ".avro"}
    facts = [fate for s in found.published.suggestions for name in ("displays", "outcomes") for fate in s.of(name)]
    assert len(facts) == sum(fate.suggestion is not None for fate in facts) > 100
    unjoined = sum(fate.is_unjoined for fate in found.fates)
    assert unjoined == sum(count for key, count in found.published.books.unjoined.items() if key.endswith("/no_id"))
    assert sum(fate.is_late for fate in found.fates) == found.published.books.late.total() > 0


def test_a_large_input_gives_examples_and_the_same_totals(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check.main([f"--input={day}/raw", "--examples=2"])
    told = capsys.readouterr().out
    truth = json.loads((day / "truth.json").read_text())
    assert f"{truth['payloads']} payloads, {truth['events']} events:" in told
    for name in ("landed", "duplicate"):
        assert f"{truth[name]:>10} {name}\n" in told
    for level, count in truth["withheld"].items():
        assert f"{level} {count}" in told
    assert "withheld (off), for example:" in told
    assert told.count("withheld  by level off") == 2


def line(name: str = "displays/pass/ghostText.shown", **changes: Any) -> dict[str, Any]:
    document = sample(name)
    for place, value in changes.items():
        at = document
        *parts, last = place.split("__")
        for part in parts:
            at = at[part]
        if value is None:
            del at[last]
        else:
            at[last] = value
    return document


def fates(tmp_path: Path, *documents: Any) -> list[Fate]:
    found = checked(write_lines(tmp_path / "raw.ndjson", list(documents)), "--format=json")
    assert_adds_up(found)
    return found.fates


def test_an_event_without_a_stamp_says_what_to_add(tmp_path: Path) -> None:
    none, odd, off, low, code = fates(
        tmp_path, line(collector=None), line(collector__telemetry_level="full"), line(collector__telemetry_level="off"),
        line(collector__telemetry_level="error"),
        line("snippets/pass/engine.prompt", collector__snippet_consent=False),
    )  # fmt: skip
    assert {fate.verdict for fate in (none, odd, off, low, code)} == {Verdict.WITHHELD}
    assert [fate.key for fate in (none, odd, off, low, code)] == ["off", "off", "off", "error", "snippet"]
    assert 'no telemetry level on the line: add "collector"' in str(none.hint)
    assert "no known word" in str(odd.hint)
    assert "full" not in str(odd.hint)
    assert "is off" in str(off.hint)
    assert "needs a higher one" in str(low.hint)
    assert "snippet_consent true" in str(code.hint)
    assert none.name == "ghostText.shown"


def test_a_refused_event_says_which_field_and_what_it_must_be(tmp_path: Path) -> None:
    no_json, no_name, no_time, late = fates(
        tmp_path, b"not json", {"data": {"baseData": {}}, "collector": sample()["collector"]},
        line(time="yesterday"), line(collector__received_at="soon"),
    )  # fmt: skip
    assert (no_json.key, no_json.expected, no_json.name) == ("malformed_payload", "JSON", None)
    assert (no_name.key, no_name.wrong, no_name.expected) == ("invalid_event", "data.baseData.name", "text")
    assert (no_time.key, no_time.dataset, no_time.wrong) == ("invalid_value", "displays", "occurred_at")
    assert no_time.expected == "a time as ISO 8601"
    assert no_time.hint == "it is looked for in envelope.time"
    assert late.key == "missing_received_at"
    assert all(fate.hint for fate in (no_json, no_name, no_time, late))


def test_copies_joins_words_and_redactions_are_told(tmp_path: Path) -> None:
    properties = "data__baseData__properties__"
    shown = line(**{f"{properties}languageId": "klingon", f"{properties}surprise": "x"})
    accepted = line("outcomes/pass/ghostText.accepted")
    error = line("errors/pass/exception", **{f"{properties}message": "no /home/bob/x.py for bob@example.com"})
    found = fates(tmp_path, shown, shown, accepted, error)
    assert found[1].verdict is Verdict.DUPLICATE
    assert found[1].duplicate_of == found[0].place
    assert found[0].unknown_values == {"language": 1}
    assert found[0].unread_count >= 1
    assert found[0].suggestion is not None
    assert {"email", "path"} <= {*found[3].redactions}


def test_explain_tells_unread_names_and_no_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = line(data__baseData__properties__surprise="c4n4ry")
    path = write_lines(tmp_path / "raw.ndjson", [b" ", document])
    check.main([str(path), "--explain=2"])
    told = capsys.readouterr().out
    assert "raw.ndjson:2  ghostText.shown: landed" in told
    assert "not read: properties.surprise" in told
    assert "c4n4ry" not in told
    check.main([f"--input={path}", "--explain=raw.ndjson:2", "--format=json"])
    event, totals = map(json.loads, capsys.readouterr().out.splitlines())
    assert "properties.surprise" in event["unread"]
    assert (totals["totals"]["landed"], totals["exit_code"]) == (1, 0)
    for wrong in ("1", "3", "other.ndjson:2", "x"):
        with pytest.raises(InvalidOptions, match="--explain"):
            check.main([str(path), f"--explain={wrong}"])


def test_people_apart_are_not_put_together_and_the_outcome_says_why(tmp_path: Path) -> None:
    other = "6d6d6d6d-0000-4000-8000-0000000000ff"
    accepted = line("outcomes/pass/ghostText.accepted", data__baseData__properties__client_machineid=other)
    ids = accepted["data"]["baseData"]["properties"]
    shown = line(**{f"data__baseData__properties__{n}": ids[n] for n in ("clientCompletionId",) if n in ids})
    display, outcome = fates(tmp_path, shown, accepted)
    assert display.suggestion is not outcome.suggestion
    assert "raw.ndjson:1" in str(outcome.hint)
    assert "client_machineid" in str(outcome.hint)


def test_exit_codes_stop_a_commit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_lines(tmp_path / "good.ndjson", [line()])
    check.main([str(good)])
    other = write_lines(tmp_path / "other.ndjson", [line(), line(data__baseData__name="my.event")])
    bad = write_lines(tmp_path / "bad.ndjson", [line(), b"{"])
    nothing = write_lines(tmp_path / "nothing.ndjson", [line(collector=None)])
    for path in (other, bad, nothing):
        with pytest.raises(UnusableInput):
            check.main([str(path)])
    with pytest.raises(InvalidOptions, match="required"):
        check.main([])
    with pytest.raises((InvalidOptions, NothingToRead)):
        check.main([f"--input={tmp_path}/none"])
    done = subprocess.run([sys.executable, "-m", "pipelines.check", str(bad)], capture_output=True, text=True,
                          check=False, cwd=ROOT)  # fmt: skip
    assert done.returncode == 3
    assert "error: of 2 events 1 would be quarantined" in done.stderr


def test_an_event_on_which_our_own_code_fails_goes_aside_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(data: bytes, **known: Any) -> Any:
        if b"boom" in data:
            raise ValueError("a bug")
        return decode_event(data, **known)

    monkeypatch.setattr(decoded, "decode_event", failing)
    found = fates(tmp_path, line(), line(data__baseData__name="boom"), line(data__baseData__properties__unique_id="b"))
    assert [fate.verdict for fate in found] == [Verdict.LANDED, Verdict.QUARANTINED, Verdict.LANDED]
    assert (found[1].key, found[1].name) == ("unprocessable", None)
    assert "bug of this program" in str(found[1].hint)


def test_it_stops_at_the_bound_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lines(tmp_path / "raw.ndjson", [line(data__baseData__properties__unique_id=str(n)) for n in range(9)])
    check.main([str(path), "--max_events=4"])
    told = capsys.readouterr().out
    assert "only the first 4 events were read" in told
    assert "4 payloads, 4 events" in told


def test_nothing_is_written(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "raw.ndjson", [line()])
    check.main([str(path)])
    assert [p.name for p in tmp_path.iterdir()] == ["raw.ndjson"]


def test_of_declared_events_what_is_not_declared_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = DATA / "golden" / "extension"
    flags = [str(folder / "input.ndjson"), f"--telemetry_manifest={folder}/telemetry.json"]
    found = checked(*flags, "--format=json")
    assert_adds_up(found)
    assert found.published.books == books_of_a_job(folder / "input.ndjson", tmp_path, found.published.months, flags[1])
    assert found.fates[0].unread == ["properties.surprise", "measurements.nope"]
    assert [fate.name for fate in found.fates] == [*["lint.done"] * 4, "other", "other", "lint.done", "ghostText.shown"]
    with pytest.raises(UnusableInput):
        check.main(flags)
    told = capsys.readouterr().out
    assert "-> no manifest declares properties.surprise, measurements.nope" in told
    assert "-> no manifest declares event Acme.linter/lint.other" in told
    first = write_lines(tmp_path / "one.ndjson", [json.loads((folder / "input.ndjson").read_text().splitlines()[0])])
    check.main([str(first), flags[1]])
    with pytest.raises(UnusableInput):
        check.main([str(first), flags[1], "--strict"])
