"""Erased people leave no trace in any file; everything else stays as it was, and no old input brings them back."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import erase, metrics, snippets, verify
from schemas.errors import InvalidOptions, OutputInUse, StorageRefused, UnfinishedChange
from tests import erase_kills
from tests.conftest import KEY_RING, PRIVATE, all_rows, plain_columns, run_batch, write_lines
from tests.support.changes import done, dry
from tests.support.persons import event, life, machine, people_file, session, user
from tests.support.servers import store_of
from transforms.core import storage
from transforms.core.audit.chain import check
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.claim import claimed
from transforms.core.output.layout import Output, claim_of

NEXT_MONTH = "2026-04-02T10:00:00.000Z"
ERASED = [3, 4]
PEOPLE = range(8)
KEYS = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]


def documents(people: Any = PEOPLE) -> list[Any]:
    found = [row for person in people for row in (*life(person), *life(person, 1, NEXT_MONTH))]
    found += [event(person, 7, client_machineid=None, copilot_trackingId=None) for person in people]
    return found + [{"collector": event(person)["collector"], "broken": machine(person)} for person in people]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("erase")
    run_batch(write_lines(folder / "raw.ndjson", documents()), folder / "out", "--close_open_suggestions")
    without = [person for person in PEOPLE if person not in ERASED]
    run_batch(
        write_lines(folder / "without.ndjson", documents(without)), folder / "expected", "--close_open_suggestions"
    )
    people_file(folder, ERASED)
    return folder


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


def flags(made: Path, output: Path | str, *more: str) -> list[str]:
    return [f"--datasets={output}", f"--key_ring={KEY_RING}", f"--people={made}/people.jsonl", *(more or KEYS)]


def traces(ring: KeyRing, people: list[int]) -> set[str]:
    """Every text that tells one of these people: raw ids, and their pseudonyms of every month and domain."""
    keys = step_keys_of(ring).pseudonyms
    raw = {"installation": machine, "session": session, "user": user}
    found = {make(person) for make in raw.values() for person in people}
    for month, by_domain in keys.person_keys.items():
        for domain in by_domain:
            pseudonymizer = keys.pseudonymizer(domain, month)
            found |= {pseudonymizer.of(make(person)).hex() for make in raw.values() for person in people}
    return found


def assert_no_trace(output: Path, told: set[str]) -> None:
    needles = [form for text in told for form in (text.encode(), *_binary(text))]
    for path in sorted(p for p in output.rglob("*") if p.is_file()):
        data = path.read_bytes()
        assert not [n for n in needles if n in data], path
        if path.suffix == ".parquet":
            table = pq.ParquetFile(path).read(columns=plain_columns(path))
            assert not told & set(_texts(table.to_pylist())), path


def _binary(text: str) -> Iterator[bytes]:
    if len(text) % 2 == 0 and all(c in "0123456789abcdef" for c in text):
        yield bytes.fromhex(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in (*value, *value.values()):
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def files_of(output: Path) -> dict[str, bytes]:
    """All but the audit trail, to which every look into quarantine is added, a dry run's too."""
    found = {str(p.relative_to(output)): p.read_bytes() for p in output.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if not name.startswith("_audit/")}


def code_of(output: Path, role: str, tmp_path: Path) -> list[Any]:
    target = tmp_path / f"{role}-{output.name}.jsonl"
    snippets.main([f"--datasets={output}", f"--private_key={PRIVATE / role}.json", f"--to={target}", "--purpose=test"])
    return sorted(target.read_text().splitlines())


def data_rows(output: Path) -> dict[str, Any]:
    return {name: rows for name, rows in all_rows(output).items() if name not in ("ledger", "acceptance")}


def test_no_trace_is_left_and_everything_else_is_as_if_they_had_never_come(
    made: Path, output: Path, tmp_path: Path, ring: KeyRing, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = done(erase.main, *flags(made, output))
    assert "erased; receipt: " in printed
    assert data_rows(output) == data_rows(made / "expected")
    for role in ("prompts", "completions"):
        assert code_of(output, role, tmp_path) == code_of(made / "expected", role, tmp_path)
        assert code_of(output, role, tmp_path)
    assert_no_trace(output, traces(ring, ERASED))
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])
    assert "were taken out after they had landed" in capsys.readouterr().out


def test_what_was_opened_is_in_the_audit_trail(made: Path, output: Path) -> None:
    done(erase.main, *flags(made, output))
    found = check(f"{output}/_audit")
    assert found.problems == []
    told = {(line.role, line.action, line.dataset) for line in found.lines}
    code = {(role, "erase", "snippets") for role in ("prompts", "completions")}
    assert told == {("operators", "erase", "quarantine")} | code
    assert {line.purpose for line in found.lines} == {"erase people"}
    assert min(line.rows for line in found.lines) > 0


def test_the_search_for_traces_finds_them_where_they_are(output: Path, ring: KeyRing) -> None:
    with pytest.raises(AssertionError):
        assert_no_trace(output, traces(ring, [5]))
    with pytest.raises(AssertionError):
        assert_no_trace(output, traces(ring, ERASED))


def test_the_second_time_there_is_nothing(made: Path, output: Path) -> None:
    done(erase.main, *flags(made, output))
    left = files_of(output)
    text, _ = dry(erase.main, *flags(made, output))
    assert text.startswith("2 people: nothing of theirs was found")
    assert "nothing was to be erased" in done(erase.main, *flags(made, output))
    again = files_of(output)
    noted = {name for name in {*left, *again} if left.get(name) != again.get(name)}
    assert {name.partition("/")[0] for name in noted} == {"_erased", "runs"}  # the record's time, and its manifest


def test_only_files_that_hold_them_are_touched(made: Path, output: Path, ring: KeyRing) -> None:
    before = files_of(output)
    done(erase.main, *flags(made, output))
    after = files_of(output)
    names = traces(ring, ERASED)
    for name, data in before.items():
        if name.endswith(".parquet") and not name.startswith(("ledger", "quarantine")):
            table = pq.ParquetFile(made / "out" / name).read(columns=plain_columns(made / "out" / name))
            theirs = [row for row in table.to_pylist() if names & {*_texts(row)}]
            assert (after.get(name) != data) == bool(theirs), name


def test_the_receipt_and_the_dry_run_tell_nothing_of_a_person(made: Path, output: Path, ring: KeyRing) -> None:
    text, _ = dry(erase.main, *flags(made, output))
    assert "published figures (acceptance) of 2 days" in text
    printed = done(erase.main, *flags(made, output))
    receipt = Path(printed.strip().rpartition(" ")[2])
    told = json.loads(receipt.read_text())
    assert (told["people"], told["job"]) == (2, "erase")
    assert told["rows_removed"] == sum(told["rows_removed_by_dataset"].values()) > 20
    assert told["rows_removed_by_dataset"]["quarantine"] == 2
    assert told["bytes_per_person"] > 0
    for written in (text, printed, receipt.read_text(), (output / "_erased" / "record.json").read_text()):
        assert not [trace for trace in traces(ring, ERASED) if trace in written]


def test_an_old_input_brings_nothing_back(
    made: Path, output: Path, ring: KeyRing, capsys: pytest.CaptureFixture[str]
) -> None:
    done(erase.main, *flags(made, output))
    erased = data_rows(output)
    books = run_batch(made / "raw.ndjson", output, "--close_open_suggestions")
    assert books.withheld["erased"] == len(documents(ERASED))
    assert data_rows(output) == erased == data_rows(made / "expected")
    late = [event(3, 90), event(4, 91, received_at=NEXT_MONTH), event(5, 92), event(4, 93, client_machineid=None)]
    books = run_batch(
        write_lines(output.parent / "late.ndjson", late), output
    )  # received then, read for the first time
    assert (books.withheld["erased"], books.landed) == (3, 1)
    assert_no_trace(output, traces(ring, ERASED))
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])
    later = [event(3, 94, received_at="2026-11-28T10:00:00.000Z")]
    if "2026-11" in ring.epochs:
        assert run_batch(write_lines(output.parent / "later.ndjson", later), output).landed == 1


def test_without_the_keys_of_readers_nothing_is_changed(made: Path, output: Path) -> None:
    before = files_of(output)
    given = flags(made, output, KEYS[0])
    text, checksum = dry(erase.main, *given)
    assert "needs --private_key: completions of 2026-03" in text
    with pytest.raises(InvalidOptions, match=r"completions of 2026-03, prompts of 2026-03, .* nothing was changed"):
        erase.main([*given, f"--checksum={checksum}"])
    assert files_of(output) == before


def test_without_the_operators_key_quarantine_is_told_and_stays_only_where_that_is_said(
    made: Path, output: Path
) -> None:
    before = files_of(output)
    given = flags(made, output, *KEYS[1:])
    text, checksum = dry(erase.main, *given)
    assert "8 quarantined payloads were not looked into" in text
    with pytest.raises(InvalidOptions, match=r"8 quarantined payloads could not be looked into.* nothing was changed"):
        erase.main([*given, f"--checksum={checksum}"])
    assert files_of(output) == before
    erase.main([*given, f"--checksum={checksum}", "--leave_quarantine"])
    assert {n for n in files_of(output) if n.startswith("quarantine")} == {
        n for n in before if n.startswith("quarantine")
    }


def test_a_running_job_is_named_in_the_line_that_refuses(made: Path, output: Path) -> None:
    _, checksum = dry(erase.main, *flags(made, output))
    before = files_of(output)
    for name in ("_claim.json", claim_of("acceptance")):
        with claimed(Output(str(output)), name), pytest.raises(OutputInUse, match="being written by process"):
            erase.main([*flags(made, output), f"--checksum={checksum}"])
    assert files_of(output) == before


def test_the_order_of_people_changes_nothing(made: Path, output: Path, tmp_path: Path) -> None:
    shutil.copytree(output, tmp_path / "other")
    lines = (made / "people.jsonl").read_text().splitlines()
    (tmp_path / "people.jsonl").write_text("\n".join(lines[::-1]))
    _, checksum = dry(erase.main, *flags(made, output))
    assert dry(erase.main, *flags(tmp_path, output))[1] == checksum
    done(erase.main, *flags(made, output))
    done(erase.main, *flags(tmp_path, tmp_path / "other"))
    assert data_rows(output) == data_rows(tmp_path / "other")


def test_one_after_the_other_is_the_same_as_together(made: Path, output: Path, tmp_path: Path) -> None:
    for person in ERASED:
        done(erase.main, *flags(people_file(tmp_path, [person]).parent, output))
    assert data_rows(output) == data_rows(made / "expected")
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])


def test_a_change_that_was_cut_off_is_finished(
    made: Path, output: Path, monkeypatch: pytest.MonkeyPatch, ring: KeyRing
) -> None:
    given = flags(made, output)
    _, checksum = dry(erase.main, *given)
    written = []

    def failing(self: Output, path: str, data: bytes, real: Any = Output.write) -> None:
        if "/received_date=" in path and len(written) > 5:
            raise KeyboardInterrupt
        written.append(path)
        real(self, path, data)

    with monkeypatch.context() as patched:
        patched.setattr(Output, "write", failing)
        with pytest.raises(KeyboardInterrupt):
            erase.main([*given, f"--checksum={checksum}"])
    assert not [trace for trace in traces(ring, ERASED) if trace in (output / "_unfinished.json").read_text()]
    with pytest.raises(UnfinishedChange, match=f"run pipelines.erase again .* --checksum {checksum}"):
        run_batch(made / "raw.ndjson", output)
    text, again = dry(erase.main, *given)
    assert again == checksum
    assert text.startswith("this was cut off before its end:")
    erase.main([*given, f"--checksum={checksum}"])
    assert data_rows(output) == data_rows(made / "expected")
    assert_no_trace(output, traces(ring, ERASED))
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])


def test_a_damaged_record_stops_the_jobs(made: Path, output: Path) -> None:
    (output / "_erased").mkdir()
    (output / "_erased" / "record.json").write_text("{")
    with pytest.raises(StorageRefused, match="is damaged"):
        dry(erase.main, *flags(made, output))


@pytest.mark.parametrize("store", ["gs", "s3"])
def test_an_object_store(made: Path, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that lists and reads before each file is replaced sees every row of others once."""
    with store_of(store, tmp_path) as bucket:
        output = Output(f"{bucket}/erase")
        for path in sorted(p for p in (made / "out").rglob("*") if p.is_file()):
            storage.write_atomic(output.beside(*path.relative_to(made / "out").parts), path.read_bytes())
        kept = _event_ids(made / "expected")
        seen = 0

        def watched(self: Output, path: str, data: bytes, real: Any = Output.write) -> None:
            nonlocal seen
            if "displays" in path:
                ids = [i for f in self.listing().files("displays") for i in _ids(storage.read_bytes(f.path))]
                assert len(ids) == len({*ids})
                assert kept <= {*ids}
                seen += 1
            real(self, path, data)

        with monkeypatch.context() as patched:
            patched.setattr(Output, "write", watched)
            assert "erased; receipt: " in done(erase.main, *flags(made, output.path))
        assert seen
        assert {i for f in output.listing().files("displays") for i in _ids(storage.read_bytes(f.path))} == kept
        assert "nothing was to be erased" in done(erase.main, *flags(made, output.path))
        verify.main([f"--datasets={output}", "--max_unjoined=100%"])


def _event_ids(output: Path) -> set[str]:
    return {i for path in output.glob("displays/*/*.parquet") for i in _ids(path.read_bytes())}


def _ids(data: bytes) -> list[str]:
    ids: list[str] = pq.read_table(io.BytesIO(data), columns=["event_id"])["event_id"].to_pylist()
    return ids


def test_published_figures_stay_as_they_are(made: Path, output: Path) -> None:
    metrics.main([f"--datasets={output}", "--min_installations=1"])
    figures = {name: data for name, data in files_of(output).items() if "acceptance" in name}
    assert figures
    done(erase.main, *flags(made, output))
    assert {name: data for name, data in files_of(output).items() if "acceptance" in name} == figures


@pytest.mark.parametrize("job", ["erase", "withdraw"])
def test_after_sigkill_at_any_moment_the_same_command_ends_in_the_same(tmp_path: Path, job: str) -> None:
    """`make erase_kills` does it 20 times for each."""
    erase_kills.make(tmp_path, 1)
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path / "out", whole)
    erase_kills.killed(tmp_path, whole, job, 1e3, 0)
    shutil.copytree(tmp_path / "out", tmp_path / "killed")
    assert erase_kills.killed(tmp_path, tmp_path / "killed", job, 0.3) == "killed while writing"
    assert erase_kills.content(tmp_path / "killed") == erase_kills.content(whole)
    verify.main([f"--datasets={tmp_path}/killed", "--max_unjoined=100%"])
