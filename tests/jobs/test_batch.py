"""The whole job on generated data: equal to the truth, safe to repeat, and unmoved by rubbish."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipelines import batch, generate, keys
from schemas.errors import InvalidOptions, KeyUnavailable, OutputInUse, PipelineError, StorageRefused
from schemas.registry import EVENT_DATASETS
from tests.conftest import KEY_RING, all_rows, read_rows, run_batch, sample, write_lines
from transforms.core import storage
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.roles import STANDING
from transforms.core.output.books import Books
from transforms.core.output.layout import Output
from transforms.core.protecting.protect import Protector

CLOSE = "--close_open_suggestions"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    generate.main([f"--output={folder}/day", "--events=6000", "--seed=11", "--date=2026-03-29"])
    split_lines(folder / "day" / "raw")
    return folder / "day"


def split_lines(raw: Path) -> None:
    """Makes many small files of the plain one, as a collector that rolls often would."""
    (plain,) = raw.glob("*.ndjson")
    lines = plain.read_bytes().splitlines(keepends=True)
    for number in range(4):
        (raw / f"rolled-{number}.ndjson").write_bytes(b"".join(lines[number::4]))
    plain.unlink()


@pytest.fixture(scope="module")
def landed(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("landed") / "datasets"
    assert_is_truth(run_batch(generated / "raw", output, CLOSE), generated)
    return output


def assert_is_truth(books: Books, generated: Path) -> None:
    truth = json.loads((generated / "truth.json").read_text())
    for name in ("payloads", "events", "landed", "duplicate"):
        assert getattr(books, name) == truth[name], name
    for name in ("withheld", "outside_contract", "quarantined"):
        assert dict(getattr(books, name)) == truth[name], name
    lives = truth["lives"]
    assert books.late.total() == lives["late"]
    assert dict(books.unjoined) == lives["unjoined"]
    made = {"quarantine": sum(truth["quarantined"].values()), "suggestions": lives["suggestions"]}
    assert dict(books.rows) == {**truth["rows"], **made}


def digests(output: Path) -> dict[str, str]:
    return {
        str(p.relative_to(output)): hashlib.sha256(p.read_bytes()).hexdigest() for p in output.rglob("*") if p.is_file()
    }


def test_every_count_equals_the_truth_and_so_do_the_rows(generated: Path, landed: Path) -> None:
    truth = json.loads((generated / "truth.json").read_text())
    for dataset, count in truth["rows"].items():
        assert len(read_rows(landed, dataset)) == count, dataset
    assert all(n > 0 for n in truth["rows"].values())
    assert {*truth["rows"]} == {*EVENT_DATASETS}


def test_every_suggestion_equals_the_truth(generated: Path, landed: Path) -> None:
    truth = json.loads((generated / "truth.json").read_text())["lives"]
    rows = read_rows(landed, "suggestions")
    keys = {(r["kind"], r["suggestion_id"], r["opportunity_id"]) for r in rows}
    assert len(keys) == len(rows) == truth["suggestions"]
    assert sum(r["display_count"] > 0 for r in rows) == truth["shown"]
    assert sum(r["display_count"] for r in rows) == truth["displays"]
    assert Counter(r["outcome"] for r in rows) == truth["outcomes"]
    assert truth["late"] > 0
    for check_s, expected in truth["persistence"].items():
        found = Counter(r[f"persistence_{check_s}s"] or "not_due" for r in rows)
        assert found == expected, check_s


def test_no_event_lands_twice(landed: Path) -> None:
    for dataset in EVENT_DATASETS:
        ids = [r["event_id"] for r in read_rows(landed, dataset)]
        assert len(ids) == len(set(ids)), dataset


def test_the_same_run_again_changes_no_byte_but_ciphertext(generated: Path, landed: Path, tmp_path: Path) -> None:
    output = tmp_path / "datasets"
    shutil.copytree(landed, output)
    before, rows = digests(output), all_rows(output)
    assert_is_truth(run_batch(generated / "raw", output, CLOSE), generated)
    after = digests(output)
    assert {*after} - {*before} == {"runs/manifests/output/000000/000000002.jsonl"}  # it signs what is sealed afresh
    assert {*before} < {*after}
    changed = {name.partition("/")[0] for name in before if after[name] != before[name]}
    assert changed == {"snippets", "quarantine", "ledger"}  # the ledger tells digests of files
    assert all_rows(output) == rows


def test_half_of_the_same_files_lands_nothing(generated: Path, landed: Path, tmp_path: Path) -> None:
    output = tmp_path / "datasets"
    shutil.copytree(landed, output)
    before = all_rows(output)
    half = sorted(str(p) for p in (generated / "raw").iterdir())[::2]
    books = run_batch(half, output)
    assert books.landed == 0
    assert books.duplicate > 0
    assert not books.rows
    after = all_rows(output)
    assert {k: v for k, v in after.items() if k != "ledger"} == {k: v for k, v in before.items() if k != "ledger"}


def test_halves_in_two_runs_land_what_one_run_does(generated: Path, landed: Path, tmp_path: Path) -> None:
    files = sorted(str(p) for p in (generated / "raw").iterdir())
    run_batch(files[::2], tmp_path / "out")
    run_batch(files, tmp_path / "out")  # the second run holds all files: it lands what is missing
    for dataset in ("requests", "displays", "outcomes", "persistence_checks", "redactions", "errors"):
        one, two = (sorted(r["event_id"] for r in read_rows(o, dataset)) for o in (landed, tmp_path / "out"))
        assert one == two, dataset


def test_a_run_that_was_killed_is_made_whole(generated: Path, landed: Path, tmp_path: Path) -> None:
    output = tmp_path / "datasets"
    shutil.copytree(landed, output)
    (output / "_claim.json").write_text(json.dumps({"host": "", "pid": 1}))
    for number, path in enumerate(sorted(output.rglob("*.parquet"))[::3]):
        path.rename(output / "_writing" / f".writing-{number}-{path.name}.half")
    (output / "_claim.json").unlink()
    assert_is_truth(run_batch(generated / "raw", output, CLOSE), generated)
    assert all_rows(output) == all_rows(landed)
    assert not list(output.rglob(".writing-*"))


def test_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    lines = (Path(__file__).parents[1] / "data/golden/one_life/input.ndjson").read_bytes().splitlines()
    run_batch(write_lines(tmp_path / "a.ndjson", lines), tmp_path / "a")
    run_batch(write_lines(tmp_path / "b.ndjson", lines[::-1]), tmp_path / "b")
    assert all_rows(tmp_path / "a") == all_rows(tmp_path / "b")


def test_rubbish_beside_good_lines_changes_nothing_but_its_own_counts(tmp_path: Path) -> None:
    good = [sample("displays/pass/ghostText.shown"), sample("outcomes/pass/ghostText.accepted")]
    rubbish = [b"{", b"\xff\xfe\x00", b"null", b'{"data":{"baseData":{"name":["x"]}}}', b"[" * 5000, b'"text"']
    rubbish.append(json.dumps(sample("displays/fail/huge_number.invalid_value")).encode())
    unknown = sample()
    unknown["data"]["baseData"]["name"] = "copilot/panel.request"
    run_batch(write_lines(tmp_path / "good.ndjson", good), tmp_path / "good")
    books = run_batch(write_lines(tmp_path / "all.ndjson", [*rubbish, *good, unknown]), tmp_path / "all")
    assert (books.payloads, books.events, books.landed) == (10, 10, 2)
    assert books.outside_contract == {"panel.request": 1}
    assert books.quarantined == {"malformed_payload": 3, "invalid_event": 2, "invalid_value": 1}
    assert books.withheld == {"off": 1}
    for dataset in ("displays", "outcomes"):
        assert all_rows(tmp_path / "good")[dataset] == all_rows(tmp_path / "all")[dataset]


def test_copies_further_apart_than_the_lookback_are_two_events(tmp_path: Path) -> None:
    documents = []
    for hour in ("10:00", "10:50", "11:40"):
        document = sample()
        document["collector"]["received_at"] = f"2026-03-29T{hour}:00Z"
        documents.append(document)
    path = write_lines(tmp_path / "raw.ndjson", documents)
    assert run_batch(path, tmp_path / "day").landed == 1
    assert run_batch(path, tmp_path / "hour", "--lookback=1h").landed == 2
    assert run_batch(path, tmp_path / "minute", "--lookback=1min").landed == 3


def test_empty_file_gives_empty_books(tmp_path: Path) -> None:
    books = run_batch(write_lines(tmp_path / "raw.ndjson", []), tmp_path / "out")
    assert (books.payloads, books.events) == (0, 0)


REFUSED = [
    (["--nope=1"], InvalidOptions, "--nope"),
    (["--input=/nope/*.ndjson"], InvalidOptions, "/nope/.*: no such file"),
    (["--key_ring=/nope"], KeyUnavailable, "no key ring at /nope/ring.json"),
    (["--geo_database=/etc/passwd"], InvalidOptions, "--geo_database /etc/passwd: InvalidDatabaseError"),
    (["--geo_database=/nope"], InvalidOptions, "--geo_database /nope: FileNotFoundError"),
    (["--output=/proc/nope/x"], StorageRefused, "cannot write /proc/nope/x"),
    (["--buckets=0"], InvalidOptions, "whole number from 1 to 9999"),
    (["--lookback=soon"], InvalidOptions, "'soon'"),
    (["--direct_num_workers=many"], InvalidOptions, "direct_num_workers"),
]


@pytest.mark.parametrize(("flags", "kind", "text"), REFUSED, ids=lambda v: v[0] if isinstance(v, list) else "")
def test_refused_in_one_line_before_anything_is_written(
    flags: list[str], kind: type[PipelineError], text: str, tmp_path: Path
) -> None:
    source = write_lines(tmp_path / "raw.ndjson", [sample()])
    output = tmp_path / "out"
    given = {f.partition("=")[0] for f in flags}
    usual = {"--input": str(source), "--output": str(output), "--key_ring": KEY_RING}
    with pytest.raises(kind, match=text) as refused:
        batch.run([*flags, *(f"{k}={v}" for k, v in usual.items() if k not in given)])
    assert "\n" not in str(refused.value)
    assert not output.exists()


def test_output_keeps_its_slots_and_its_key_ring(tmp_path: Path) -> None:

    source = write_lines(tmp_path / "raw.ndjson", [sample()])
    run_batch(source, tmp_path / "out")
    with pytest.raises(InvalidOptions, match="begun with 16 slots for people, and a bucket needs one"):
        run_batch(source, tmp_path / "out", "--buckets=17")
    keys.create(str(tmp_path / "keys"), "2026-01", 6)
    with pytest.raises(InvalidOptions, match="another key ring"):
        run_batch(source, tmp_path / "out", f"--key_ring={tmp_path}/keys")


def test_event_of_a_month_without_a_key_goes_aside_and_lands_once_there_is_one(tmp_path: Path) -> None:
    """What `replay` will do: the same payload, after `keys rotate`."""
    late = sample()
    late["collector"]["received_at"] = "2031-05-01T00:00:00Z"
    late["data"]["baseData"]["properties"]["unique_id"] = "late"
    keys.create(str(tmp_path / "keys"), "2026-01", 12)
    flags = (f"--key_ring={tmp_path}/keys",)
    source = write_lines(tmp_path / "raw.ndjson", [sample(), late])
    books = run_batch(source, tmp_path / "out", *flags)
    assert (books.landed, dict(books.quarantined)) == (1, {"outside_key_ring": 1})
    (row,) = read_rows(tmp_path / "out", "quarantine")
    assert (row["field"], row["expected"]) == ("received_at", "a month of the key ring: 2026-01 to 2026-12")
    private = load_private(f"{tmp_path}/keys/private/operators.json")
    body = private.open(STANDING, row["body"])
    keys.rotate(str(tmp_path / "keys"), str(tmp_path / "keys" / "private"), "2031-05")
    again = run_batch(write_lines(tmp_path / "again.ndjson", [body]), tmp_path / "out", *flags)
    assert (again.landed, again.quarantined.total()) == (1, 0)


def test_second_writer_is_told_who_holds_the_output(tmp_path: Path) -> None:
    from transforms.core.output.claim import claimed

    source = write_lines(tmp_path / "raw.ndjson", [sample()])
    with claimed(Output(str(tmp_path / "out"))), pytest.raises(OutputInUse, match=r"being written by process \d+"):
        run_batch(source, tmp_path / "out")
    assert run_batch(source, tmp_path / "out").landed == 1


def test_claim_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    import socket

    source = write_lines(tmp_path / "raw.ndjson", [sample()])
    (tmp_path / "out").mkdir()
    claim = {"host": socket.gethostname(), "pid": 2**22 + 1, "started": "1"}
    (tmp_path / "out" / "_claim.json").write_text(json.dumps(claim))
    assert run_batch(source, tmp_path / "out").landed == 1


def test_multi_threading_gives_the_same_rows(generated: Path, landed: Path, tmp_path: Path) -> None:
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")
    assert_is_truth(run_batch(generated / "raw", tmp_path / "out", CLOSE, *flags), generated)
    assert all_rows(tmp_path / "out") == all_rows(landed)


def test_errors_of_workers_keep_their_kind_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_lines(tmp_path / "raw.ndjson", [sample()])
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")

    def unavailable(*_: object) -> None:
        raise KeyUnavailable("no key for a test")

    monkeypatch.setattr(Protector, "protect", unavailable)
    with pytest.raises(KeyUnavailable, match="no key for a test"):
        run_batch(source, tmp_path / "out", *flags)


def test_a_large_plain_file_is_cut_into_ranges_and_lands_the_same(
    generated: Path, landed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "RANGE_BYTES", 100_000)
    files = storage.expand_inputs([str(generated / "raw")])
    assert len(batch.ranges_of(files)) > len(files) + 10
    assert_is_truth(run_batch(generated / "raw", tmp_path / "out", CLOSE), generated)
    assert all_rows(tmp_path / "out") == all_rows(landed)
