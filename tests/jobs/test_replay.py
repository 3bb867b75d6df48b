"""Quarantine after a fix: what lands is what would have landed had the fix been there, once, and nothing is lost."""

import gzip
import json
import shutil
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from pipelines import batch, keys, replay, report, runs, verify
from pipelines.replaying import ending
from pipelines.running import input_run
from schemas.errors import (
    InvalidOptions,
    KeyUnavailable,
    OutputInUse,
    StorageUnavailable,
    UnbalancedBooks,
    UnfinishedChange,
)
from schemas.registry import raw_schemas
from tests.conftest import all_rows, read_rows, sample, write_lines
from tests.replay_kills import Replays
from transforms.core.audit.chain import check
from transforms.core.chains.chain import record_change
from transforms.core.keys.open_ring import open_signer
from transforms.core.output.claim import claimed
from transforms.core.output.expired import Expired
from transforms.core.output.layout import Output
from transforms.core.output.refused import refusals
from transforms.core.output.replayed import read_replayed
from transforms.core.output.unfinished import begun
from transforms.core.protecting import protect

FEBRUARY, MARCH = "2026-02-27", "2026-03-29"
PURPOSE = "--purpose=months were added"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw lines of February and March, landed with keys of March alone; then the keys of February came."""
    folder = tmp_path_factory.mktemp("replay")
    keys.create(str(folder / "keys"), "2026-03", 1)
    broken = json.dumps(received("displays/pass/ghostText.shown", MARCH, 9)).encode()
    broken = (
        b'{"collector": ' + json.dumps(received("displays/pass/ghostText.shown", MARCH)["collector"]).encode() + b', "x'
    )
    write_lines(folder / "raw.ndjson", [*life(FEBRUARY), *life(MARCH), broken])
    land(folder / "raw.ndjson", folder / "out", folder / "keys")
    keys.rotate(str(folder / "keys"), str(folder / "keys" / "private"), "2026-02")
    land(folder / "raw.ndjson", folder / "expected", folder / "keys")
    return folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def ring(made: Path) -> Path:
    return made / "keys"


def received(name: str, day: str, minute: int = 0, **more: Any) -> dict[str, Any]:
    document = sample(name)
    document["collector"] |= {"received_at": f"{day}T10:{minute:02d}:00Z", **more}
    document["data"]["baseData"]["properties"]["unique_id"] += f"-{day}"
    return document


def life(day: str, **more: Any) -> list[dict[str, Any]]:
    names = ("requests/pass/ghostText.issued", "displays/pass/ghostText.shown", "outcomes/pass/ghostText.accepted")
    return [received(name, day, minute, **more) for minute, name in enumerate(names)]


def land(source: Path, output: Path, ring: Path, *more: str) -> None:
    flags = [f"--input={source}", f"--output={output}", f"--key_ring={ring}", "--buckets=4"]
    batch.run([*flags, "--max_quarantined_share=100%", *more])


def run(output: Path, ring: Path, *flags: str, purpose: str = PURPOSE) -> None:
    key = f"--private_key={ring}/private/operators.json"
    replay.main([f"--output={output}", f"--key_ring={ring}", key, purpose, *flags])


def dry(output: Path, ring: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[str, str]:
    capsys.readouterr()
    run(output, ring, "--dry_run", *flags)
    told = capsys.readouterr().out
    return told, told.split()[-1]


def replayed(output: Path, ring: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    told, checksum = dry(output, ring, capsys, *flags)
    run(output, ring, f"--checksum={checksum}", *flags)
    return told


def landed(output: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of all datasets but the books and quarantine."""
    return {name: rows for name, rows in all_rows(output).items() if name not in ("ledger", "quarantine")}


def test_what_lands_is_what_would_have_landed(
    made: Path, out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_rows(out, "quarantine")
    assert [row["reason"] for row in before].count("outside_key_ring") == 3
    told = replayed(out, ring, capsys)
    assert "4 payloads of quarantine are chosen, of 2 days" in told
    assert "outside_key_ring: 3, of which 3 would leave quarantine" in told
    assert "malformed_payload: 1, of which 0 would leave quarantine" in told
    assert landed(out) == landed(made / "expected")
    assert {row["received_date"] for row in read_rows(out, "displays")} == {FEBRUARY, MARCH}
    assert len(read_rows(out, "suggestions")) == 1
    assert read_rows(out, "quarantine") == before, "rows stay until they expire, and none is doubled"
    (record,) = read_replayed(Output(str(out)))
    assert {day.isoformat(): len(names) for day, names in record.payload_ids.items()} == {FEBRUARY: 3}
    assert record.reasons == {"outside_key_ring": 3}
    capsys.readouterr()
    verify.main([f"--datasets={out}", "--max_unjoined=100%"])
    assert "3 payloads of quarantine were replayed (outside_key_ring 3)" in capsys.readouterr().out


def test_twice_lands_nothing_twice(made: Path, out: Path, ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replayed(out, ring, capsys)
    told, checksum = dry(out, ring, capsys)
    assert "1 payloads of quarantine are chosen" in told
    assert "3 were replayed before and are left alone" in told
    run(out, ring, f"--checksum={checksum}")
    assert capsys.readouterr().out.startswith("nothing leaves quarantine")
    shutil.rmtree(out / "_replayed")  # as if nobody had written down what was replayed
    told = replayed(out, ring, capsys, f"--date={FEBRUARY}", "--reason=outside_key_ring")
    assert "3 payloads of quarantine are chosen" in told
    replayed(out, ring, capsys)
    assert landed(out) == landed(made / "expected")


def test_what_somebody_put_into_quarantine_is_not_replayed(
    out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody can seal a payload to the operators, whose key is public: what lands would be signed."""
    _, checksum = dry(out, ring, capsys)
    file = next(path for path in sorted((out / "quarantine").rglob(f"*{FEBRUARY}/*")))
    put = file.with_name(f"{'0' * 16}-{file.name.partition('-')[2]}")
    shutil.copy(file, put)
    before = landed(out)
    with pytest.raises(UnbalancedBooks, match=r"nothing was changed.*/0{16}-.* is told by no manifest"):
        run(out, ring, f"--checksum={checksum}")
    assert landed(out) == before
    put.unlink()
    run(out, ring, f"--checksum={checksum}")
    assert len(landed(out)["displays"]) == 2


def test_the_same_command_after_its_end_is_well_and_opens_nothing(
    made: Path, out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where it was killed when everything was done."""
    _, checksum = dry(out, ring, capsys)
    run(out, ring, f"--checksum={checksum}")
    lines = len(check(str(out / "_audit")).lines)
    run(out, ring, f"--checksum={checksum}")
    assert "has left it already" in capsys.readouterr().out
    assert len(check(str(out / "_audit")).lines) == lines
    assert landed(out) == landed(made / "expected")


def test_what_landed_in_another_way_meanwhile_is_a_duplicate(
    made: Path, out: Path, ring: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Long past the lookback, and the rows of the day that had landed are read by their receive time."""
    write_lines(tmp_path / "again.ndjson", life(FEBRUARY))
    land(tmp_path / "again.ndjson", out, ring)
    replayed(out, ring, capsys)
    assert {name: len(rows) for name, rows in landed(out).items()} == {
        name: len(rows) for name, rows in landed(made / "expected").items()
    }


def test_filters(out: Path, ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, count in (
        (["--reason=malformed_payload"], 1),
        ([f"--date={FEBRUARY}"], 3),
        ([f"--date={MARCH}", "--reason=outside_key_ring"], 0),
        (["--stage=ProtectEvents"], 0),
        (["--stage=DecodeEvents", "--reason=malformed_payload", "--reason=outside_key_ring"], 4),
    ):
        assert f"{count} payloads of quarantine are chosen" in dry(out, ring, capsys, *flags)[0]


def test_a_dry_run_writes_nothing_but_its_line(out: Path, ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    dry(out, ring, capsys)
    after = {p: p.read_bytes() for p in out.rglob("*") if p.is_file() and p.parent.name != "_audit"}
    assert after == before
    (line,) = check(str(out / "_audit")).lines
    assert (line.role, line.action, line.rows) == ("operators", "try payloads again", 4)


def test_the_real_run_needs_the_checksum_of_what_is_there(
    out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checksum = dry(out, ring, capsys)
    with pytest.raises(InvalidOptions, match="something with another checksum"):
        run(out, ring, f"--checksum={checksum}", "--reason=malformed_payload")
    for flags in ((), ("--dry_run", "--checksum=x")):
        with pytest.raises(InvalidOptions, match="--dry_run"):
            run(out, ring, *flags)
    assert not list(out.glob("_replayed/*"))


def test_consent_as_it_is_now_counts_where_it_is_less(
    out: Path, ring: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    machine = life(FEBRUARY)[0]["data"]["baseData"]["properties"]["client_machineid"]
    people = tmp_path / "people.jsonl"
    people.write_text(json.dumps({"machine": machine, "telemetry_level": "off"}) + "\n")
    told = replayed(out, ring, capsys, f"--consents={people}")
    assert "3 are of people whose consent of now counts" in told
    assert {row["received_date"] for row in read_rows(out, "displays")} == {MARCH}
    told, _ = dry(out, ring, capsys)
    assert "3 were replayed before" in told, "they are settled: nobody may land them later"


def test_consent_of_now_takes_code_and_leaves_the_rest(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = received("snippets/pass/ghostText.capturedAfterAccepted", FEBRUARY)
    keys.create(str(tmp_path / "keys"), "2026-03", 1)
    land(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out", tmp_path / "keys")
    keys.rotate(str(tmp_path / "keys"), str(tmp_path / "keys" / "private"), "2026-02")
    shutil.copytree(tmp_path / "out", tmp_path / "other")
    machine = document["data"]["baseData"]["properties"]["client_machineid"]
    (tmp_path / "people").write_text(json.dumps({"machine": machine, "snippet_consent": False}))
    replayed(tmp_path / "out", tmp_path / "keys", capsys)
    assert len(read_rows(tmp_path / "out", "snippets")) == 1
    replayed(tmp_path / "other", tmp_path / "keys", capsys, f"--consents={tmp_path}/people")
    assert read_rows(tmp_path / "other", "snippets") == []


def test_somebody_who_is_named_without_a_consent_is_refused(out: Path, ring: Path, tmp_path: Path) -> None:
    (tmp_path / "people").write_text("machine abc\n")
    with pytest.raises(InvalidOptions, match="person 1 is named without telemetry_level"):
        run(out, ring, "--dry_run", f"--consents={tmp_path}/people")


def test_every_opening_is_in_the_audit_trail(out: Path, ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replayed(out, ring, capsys)
    found = check(str(out / "_audit"))
    assert found.problems == []
    assert [(line.action, line.rows) for line in found.lines] == [
        ("try payloads again", 4), ("try payloads again", 4), ("replay", 3),
    ]  # fmt: skip
    assert {line.purpose for line in found.lines} == {PURPOSE.partition("=")[2]}


def test_where_the_line_cannot_be_written_nothing_is_opened(out: Path, ring: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        run(out, ring, "--dry_run", f"--audit_log={tmp_path}/file/trail")


def test_it_is_refused_in_a_line_beside_a_run_that_writes(
    out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checksum = dry(out, ring, capsys)
    with claimed(Output(str(out))), pytest.raises(OutputInUse, match="is being written by"):
        run(out, ring, f"--checksum={checksum}")
    run(out, ring, f"--checksum={checksum}")


def test_it_is_refused_where_another_change_was_cut_off(
    out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checksum = dry(out, ring, capsys)
    begun("erase", "abc", [], []).save(Output(str(out)))
    with pytest.raises(UnfinishedChange, match=r"by pipelines\.erase was cut off"):
        run(out, ring, f"--checksum={checksum}")
    with pytest.raises(UnfinishedChange, match=r"by pipelines\.erase was cut off"):
        run(out, ring, "--dry_run")


@pytest.mark.parametrize("role", ["prompts", "completions"])
def test_another_role_opens_no_body(out: Path, ring: Path, role: str) -> None:
    key = f"--private_key={ring}/private/{role}.json"
    with pytest.raises(KeyUnavailable, match="opens no body of quarantine"):
        replay.main([f"--output={out}", f"--key_ring={ring}", key, PURPOSE, "--dry_run"])


def test_other_runners_are_refused_in_a_line(out: Path, ring: Path) -> None:
    with pytest.raises(InvalidOptions, match="--runner"):
        run(out, ring, "--dry_run", "--runner=FlinkRunner")


def test_an_output_that_is_none_is_refused(ring: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="no output of the jobs there"):
        run(tmp_path, ring, "--dry_run")


def test_days_that_have_expired_are_counted_and_not_written(
    out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = date.fromisoformat(FEBRUARY)
    output = Output(str(out))
    Expired(through=dict.fromkeys(("requests", "displays", "outcomes", "suggestions"), day)).save(output)
    record_change(output, open_signer(str(ring)), "expire", ["_expired/record.json"], [], {})
    replayed(out, ring, capsys)
    assert {row["received_date"] for row in read_rows(out, "displays")} == {MARCH}
    verify.main([f"--datasets={out}", "--max_unjoined=100%"])


def test_a_request_of_a_container_goes_as_it_came(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its stamp stands around the event, its body was compressed, and one of its events stays in quarantine."""
    keys.create(str(tmp_path / "keys"), "2026-03", 1)
    documents = life(FEBRUARY)
    for document in documents:
        del document["collector"]
    body = b"\n".join([*(json.dumps(document).encode() for document in documents), b'{"broken'])
    stamp = {"received_at": datetime.fromisoformat(f"{FEBRUARY}T10:00:00.123456+00:00"), "client_ip": "81.2.69.177"}
    stamp |= {"telemetry_level": "all", "snippet_consent": True, "content_type": None, "content_encoding": "gzip"}
    with (tmp_path / "raw.avro").open("wb") as file:
        fastavro.writer(file, raw_schemas()["raw_request.1"], [{**stamp, "body": gzip.compress(body)}])
    land(tmp_path / "raw.avro", tmp_path / "out", tmp_path / "keys")
    before = read_rows(tmp_path / "out", "quarantine")
    assert len(before) == 4
    assert {row["container"] for row in before} == {"avro"}
    keys.rotate(str(tmp_path / "keys"), str(tmp_path / "keys" / "private"), "2026-02")
    assert "outside_key_ring: 3, of which 3 would leave" in replayed(tmp_path / "out", tmp_path / "keys", capsys)
    land(tmp_path / "raw.avro", tmp_path / "expected", tmp_path / "keys")
    assert landed(tmp_path / "out") == landed(tmp_path / "expected")
    assert len(landed(tmp_path / "out")["displays"]) == 1
    assert [row["payload_id"] for row in read_rows(tmp_path / "out", "quarantine")] == [r["payload_id"] for r in before]


def test_an_event_of_which_only_the_code_failed(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event itself landed and counts no second time; its row of code comes."""
    document = received("snippets/pass/ghostText.capturedAfterAccepted", MARCH)
    document = received("outcomes/pass/ghostText.accepted", MARCH)
    document["data"]["baseData"]["properties"]["completionTextJson"] = '"code that fails"'
    raw = write_lines(tmp_path / "raw.ndjson", [document])
    real = protect.scrub_column

    def failing(values: Any, *more: Any, **named: Any) -> Any:
        if any("code that fails" in str(value) for value in values.to_pylist()):
            raise ValueError("a bug")
        return real(values, *more, **named)

    monkeypatch.setattr(protect, "scrub_column", failing)
    land(raw, tmp_path / "out", ring)
    assert [row["reason"] for row in read_rows(tmp_path / "out", "quarantine")] == ["unprocessable"]
    assert len(read_rows(tmp_path / "out", "outcomes")) == 1
    assert "unprocessable: 1, of which 0 would leave" in dry(tmp_path / "out", ring, capsys)[0]
    monkeypatch.undo()
    replayed(tmp_path / "out", ring, capsys)
    land(raw, tmp_path / "expected", ring)
    assert landed(tmp_path / "out") == landed(tmp_path / "expected")
    assert len(landed(tmp_path / "out")["snippets"]) == 1
    verify.main([f"--datasets={tmp_path}/out", "--max_unjoined=100%"])


def test_a_replay_is_listed_among_the_runs(out: Path, ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replayed(out, ring, capsys)
    capsys.readouterr()
    runs.main([f"--output={out}"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " replay " in line]
    assert line.split()[-3:-1] == ["3", "3"], "events, landed"


def test_the_report_tells_what_was_replayed(out: Path, ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = out.parent / "report.html"
    report.main([f"--datasets={out}", f"--to={page}"])
    assert "were replayed since" not in page.read_text()
    replayed(out, ring, capsys)
    report.main([f"--datasets={out}", f"--to={page}"])
    assert "3 payloads that are counted as quarantined were replayed since" in page.read_text()


def test_what_was_replayed_is_no_open_trouble(
    made: Path, out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (listed,) = out.glob("_inputs/*.json")
    assert refusals(Output(str(out)), listed.stem).kinds.total() == 4
    replayed(out, ring, capsys)
    left = refusals(Output(str(out)), listed.stem)
    assert {kind.reason: count for kind, count in left.kinds.items()} == {"malformed_payload": 1}
    assert {*left.months} == {"malformed_payload"}


def test_worker_processes_open_the_bodies_themselves(
    made: Path, out: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checksum = dry(out, ring, capsys)
    flags = [f"--output={out}", f"--key_ring={ring}", f"--private_key={ring}/private/operators.json", PURPOSE]
    code = (
        "from pipelines import replay\nfrom pipelines.workers import choice\n"
        "from pipelines.running.command import run_job\nchoice.WORTH_IT_BYTES = 0\n"
        "choice._count = lambda *_: 2\nrun_job(replay.main)\n"
    )
    command = [sys.executable, "-c", code, *flags, f"--checksum={checksum}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert landed(out) == landed(made / "expected")


@pytest.mark.parametrize("cut", ["begin", "write", "record"])
def test_a_run_that_was_cut_off_is_finished_by_the_same_command(
    cut: str, made: Path, out: Path, ring: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(BaseException):
        pass

    def raising(*_: Any, **__: Any) -> None:
        raise Cut

    _, checksum = dry(out, ring, capsys)
    place = {
        "begin": (input_run, "_run_pipeline"),
        "write": (input_run, "_checked_marks"),
        "record": (ending, "forget_unfinished"),
    }
    monkeypatch.setattr(*place[cut], raising)
    with pytest.raises(Cut):
        run(out, ring, f"--checksum={checksum}")
    monkeypatch.undo()
    with pytest.raises(UnfinishedChange, match=f"pipelines.replay was cut off.*--checksum {checksum}"):
        land(made / "raw.ndjson", out, ring)
    with pytest.raises(UnfinishedChange):
        run(out, ring, "--checksum=another")
    told, again = dry(out, ring, capsys)
    assert again == checksum
    assert "this was cut off before its end" in told
    run(out, ring, f"--checksum={checksum}")
    assert landed(out) == landed(made / "expected")
    assert not (out / "_unfinished.json").exists()
    verify.main([f"--datasets={out}", "--max_unjoined=100%"])


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """`make replay_kills` does it 20 times. At 0.97 it is over but for its record and its claim."""
    replays = Replays(str(tmp_path), events=200)
    assert replays.expected["_replayed"] != []
    assert replays.expected["kinds"] == ["batch", "kept", "replay", "replay"], "each, and the last one"
    stood = {replays.killed_at(share) for share in (0.5, 0.97)} | {replays.killed(0.8)}
    assert {"killed while it landed", "killed at its end"} <= stood
