"""Each way to tamper with a signed output is found and named, with the public key alone."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import InvalidOptions, KeyUnavailable, UnbalancedBooks
from tests.support.signed_outputs import (
    alter_cell,
    edit_manifest,
    first,
    make_signed_output,
    problems,
    remove_day,
    swap,
    verified,
    write_public_key,
)

DAY, OTHER_DAY = "2026-03-29", "2026-03-30"
MANIFESTS = "runs/manifests/output/000000"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_signed_output(tmp_path_factory.mktemp("signed"))


@pytest.fixture
def output(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "out", symlinks=True))


@pytest.fixture
def key(tmp_path: Path) -> str:
    return f"--public_key={write_public_key(tmp_path / 'signing.pub')}"


def displays(output: Path, day: str = DAY) -> Path:
    return first(output, f"displays/received_date={day}/*.parquet")


def manifest(output: Path, number: int) -> Path:
    return output / MANIFESTS / f"{number:09d}.jsonl"


def put_with_ledger(output: Path) -> None:
    """A file and a ledger row of an input that never was, as somebody would add them."""
    for folder in ("displays", "ledger"):
        path = first(output, f"{folder}/received_date={DAY}/*.parquet")
        shutil.copy(path, path.with_name(f"{'f' * 16}-0000of0004.parquet"))


def remove_a_day_and_its_books(output: Path) -> None:
    remove_day(output, OTHER_DAY)
    for path in output.glob(f"_inputs/*/{OTHER_DAY}"):
        path.unlink()
        shutil.rmtree(path.parent)
        path.parent.with_suffix(".json").unlink(missing_ok=True)


def reorder(output: Path) -> None:
    swap(manifest(output, 1), manifest(output, 2))


def bring_a_file_back(output: Path) -> None:
    """A file as it was before an erasure, whose manifest comes after it."""
    from tests.conftest import KEY_RING
    from transforms.core.chains.chain import record_change
    from transforms.core.keys.open_ring import open_signer
    from transforms.core.output.layout import Output

    path = displays(output)
    before = path.read_bytes()
    alter_cell(path)
    inside = str(path.relative_to(output))
    record_change(Output(str(output)), open_signer(KEY_RING), "erase", [inside], [], {"rows": 1})
    path.write_bytes(before)


def bring_a_removed_file_back(output: Path) -> None:
    from tests.conftest import KEY_RING
    from transforms.core.chains.chain import record_change
    from transforms.core.keys.open_ring import open_signer
    from transforms.core.output.layout import Output

    inside = str(displays(output).relative_to(output))
    record_change(Output(str(output)), open_signer(KEY_RING), "expire", [], [inside], {"files": 1})


def become_link(path: Path) -> None:
    elsewhere = path.parents[3] / "x"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered cell": (lambda o: alter_cell(displays(o)), rf"displays/received_date={DAY}/.*: altered"),
    "same size, one bit": (
        lambda o: displays(o).write_bytes(bytes([*displays(o).read_bytes()[:99], 0, *displays(o).read_bytes()[100:]])),
        rf"displays/received_date={DAY}/.*: altered: its content",
    ),
    "altered ledger row": (lambda o: alter_cell(first(o, "ledger/*/*.parquet")), r"ledger/.*: altered"),
    "files of two days swapped": (lambda o: swap(displays(o), displays(o, OTHER_DAY)), r"displays/.*: swapped: it holds what displays/received_date=2026-03-(29|30)"),
    "added file": (
        lambda o: shutil.copy(displays(o), displays(o).with_name(f"{'f' * 16}-0000of0004.parquet")),
        r"displays/.*f{16}-0000of0004.parquet: no manifest names it",
    ),
    "added file with a ledger row": (put_with_ledger, r"ledger/.*f{16}-0000of0004.parquet: no manifest names it"),
    "removed file": (lambda o: displays(o).unlink(), r"displays/.*: gone"),
    "removed day, ledger rows and all": (remove_a_day_and_its_books, rf"displays/received_date={OTHER_DAY}: gone with all of its"),
    "file as it was before a change": (bring_a_file_back, r"displays/.*: rolled back: it is as manifest output 1 put it, and manifest output 4"),
    "file that was removed": (bring_a_removed_file_back, r"displays/.*: is back, though manifest output 4 removed it"),
    "foreign file": (lambda o: (o / "notes.txt").write_text("x"), r"notes.txt: no manifest names it; somebody put it there"),
    "foreign file in a folder of ours": (lambda o: (o / "_schemas" / "x.json").write_text("{}"), r"_schemas/x.json: no manifest names it"),
    "foreign day of an input": (lambda o: (next((o / "_inputs").glob("*.json")).with_suffix("") / "2020-01-01").write_text(""), r"_inputs/.*/2020-01-01: no manifest names it"),
    "hidden foreign file": (lambda o: (o / "displays" / ".x").write_text("x"), r"displays/.x: no manifest names it"),
    "foreign file among manifests": (lambda o: (o / MANIFESTS / "x").write_text("x"), r"runs/manifests/output/000000/x: no manifest names it"),
    "foreign claim": (lambda o: (o / "_claim.json").write_text("rows and rows"), r"_claim.json: is no claim"),
    "foreign record of a run": (lambda o: (o / "runs" / f"{'0' * 36}.json").write_text("{}"), r"runs/0*.json: altered, or no record"),
    "half a file": (lambda o: [(o / "_writing").mkdir(exist_ok=True), (o / "_writing" / ".writing-1-x.half").write_text("x")], r"_writing/.*: half written"),
    "link to elsewhere": (lambda o: become_link(displays(o)), r"displays/.*: a link to elsewhere, no file"),
    "pipe": (lambda o: os.mkfifo(o / "displays" / f"received_date={DAY}" / f"{'f' * 16}-0000of0004.parquet"), r"displays/.*: a pipe or device"),
    "altered output file": (lambda o: (o / "_output.json").write_text("{}"), r"_output.json: altered"),
    "altered manifest": (lambda o: edit_manifest(o, 2, lambda m: m["removed"].append("x")), r"000000002.jsonl: its signature does not fit"),
    "altered last manifest": (lambda o: edit_manifest(o, 3, lambda m: m["facts"].update(x=1)), r"000000003.jsonl: its signature does not fit"),
    "removed manifest": (lambda o: manifest(o, 2).unlink(), r"000000002.jsonl: it is missing, and later ones are there"),
    "removed first manifest": (lambda o: manifest(o, 1).unlink(), r"000000001.jsonl: it is missing"),
    "reordered manifests": (reorder, r"000000001.jsonl: it is manifest 2 of the chain output and was put there"),
    "all manifests removed": (lambda o: shutil.rmtree(o / "runs"), r"no manifests are there, and the output must be signed"),
    "public key replaced": (lambda o: (o / "_signing.pub").write_bytes(b"A" * 43 + b"=\n"), r"_signing.pub: is not the public key"),
}  # fmt: skip


def test_a_whole_output_is_well(output: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    verified(output, key)
    told = capsys.readouterr().out
    assert "chain output: 3 manifests" in told
    assert "the books balance" in told
    verified(output, key, "--only_manifests")


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_each_tampering_is_found_and_named(
    output: Path, key: str, capsys: pytest.CaptureFixture[str], tampering: str
) -> None:
    import re

    change, line = TAMPERINGS[tampering]
    change(output)
    found = problems(output, capsys, key)
    assert any(re.match(line, told) or re.search(rf"/{line}", told) for told in found), found
    assert all(len(told) < 400 for told in found)


def test_the_output_in_which_nothing_is_signed_any_more_is_not_taken_for_an_unsigned_one(
    output: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(output / "runs")
    assert any("no manifests are there" in line for line in problems(output, capsys, key))


def test_an_output_that_was_rolled_back_is_found_by_a_witness(
    whole: Path, tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Manifests and all: what is left is sound in itself."""
    from tests.conftest import run_batch, sample, write_lines

    now, witness = Path(shutil.copytree(whole, tmp_path / "now")), f"--witness={tmp_path / 'seen.json'}"
    later = sample("outcomes/pass/ghostText.accepted")
    run_batch(write_lines(tmp_path / "later.ndjson", [later]), now)
    verified(now, key, witness)
    head = capsys.readouterr().out.partition("the last one ")[2].split()[0]
    verified(whole, key)
    found = problems(whole, capsys, witness)
    assert found[-1:] == ["rolled back: the chain output ends with manifest 3, and manifest 4 was there before"] or any(
        "rolled back: the chain output ends with manifest 3" in line for line in found
    )
    assert any("rolled back" in line for line in problems(whole, capsys, key, f"--expect={head}"))
    other = sample("outcomes/pass/ghostText.rejected")
    run_batch(write_lines(tmp_path / "other.ndjson", [other]), gone_on := Path(shutil.copytree(whole, tmp_path / "on")))
    assert any("is another one than was there before" in line for line in problems(gone_on, capsys, witness))
    verified(now, key, witness)


def test_a_witness_is_updated_only_where_all_is_well(
    output: Path, tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    witness = tmp_path / "seen.json"
    displays(output).unlink()
    problems(output, capsys, key, f"--witness={witness}")
    assert not witness.exists()


def test_a_witness_in_the_output_is_refused(output: Path) -> None:
    with pytest.raises(InvalidOptions, match="lies in the output"):
        verified(output, f"--witness={output / 'seen.json'}")


def test_an_output_of_another_key_is_found(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody makes all of it anew with a key of his own, and puts that key beside it."""
    from transforms.core.keys.public_key import key_line
    from transforms.core.keys.signing import Signer

    other = tmp_path / "other.pub"
    other.write_bytes(key_line(Signer(b"x" * 31 + b"y").public_key))
    found = problems(output, capsys, f"--public_key={other}")
    assert any("signed with another key" in line for line in found)
    with pytest.raises(KeyUnavailable, match="is no file of a public key"):
        verified(output, f"--public_key={displays(output)}")


def test_a_manifest_of_another_output_is_found(
    output: Path, tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed with the same key, and put at the end."""
    (tmp_path / "else").mkdir()
    other = make_signed_output(tmp_path / "else")
    shutil.copy(manifest(other, 2), manifest(output, 2))
    assert any("000000002.jsonl: it is of another output" in line for line in problems(output, capsys, key))
    shutil.copytree(other / MANIFESTS, output / MANIFESTS, dirs_exist_ok=True)
    assert problems(output, capsys, key)


def test_only_manifests_finds_what_needs_no_reading(output: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    remove_day(output, OTHER_DAY)
    found = problems(output, capsys, key, "--only_manifests")
    assert any(f"displays/received_date={OTHER_DAY}: gone with all" in line for line in found)


def test_what_a_running_job_has_not_signed_yet_is_a_warning_where_that_is_asked_for(
    output: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(displays(output), displays(output).with_name(f"{'f' * 16}-0000of0004.parquet"))
    assert problems(output, capsys, key, "--while_running", "--only_manifests")  # nobody has claimed it
    (output / "_claim.json").write_text('{"host": "x", "pid": 1}')
    verified(output, key, "--while_running", "--only_manifests")
    assert "no manifest names it" in capsys.readouterr().err
    (output / "x.txt").write_text("x")
    assert problems(output, capsys, key, "--while_running", "--only_manifests")[0].startswith("x.txt")


def test_a_run_that_was_killed_before_its_manifest_is_made_whole_by_the_same_run(
    tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.running import input_run
    from tests.conftest import run_batch, sample, write_lines

    raw = write_lines(tmp_path / "raw.ndjson", [sample()])
    run_batch(write_lines(tmp_path / "0.ndjson", [sample("outcomes/pass/ghostText.accepted")]), tmp_path / "out")

    def killed(*_: object) -> None:
        raise UnbalancedBooks("killed")

    with monkeypatch.context() as patched:
        patched.setattr(input_run, "sign_input", killed)
        with pytest.raises(UnbalancedBooks, match="killed"):
            run_batch(raw, tmp_path / "out")
    assert any("run that input again" in line for line in problems(tmp_path / "out", capsys, key))
    run_batch(raw, tmp_path / "out")
    verified(tmp_path / "out", key)
    before = sorted((tmp_path / "out" / MANIFESTS).iterdir())
    run_batch(raw, tmp_path / "out")
    assert sorted((tmp_path / "out" / MANIFESTS).iterdir()) == before  # the same again adds nothing


def test_rows_that_no_worker_with_the_ring_wrote_are_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody puts rows in the place of a run's while it has not signed them yet."""
    from pipelines.running import input_run
    from tests.conftest import run_batch, sample, write_lines

    checked = input_run._checked_marks

    def altered(output: object, listed: object) -> object:
        for path in (tmp_path / "out").glob("ledger/*/*.parquet"):
            forge_ledger_row(path)
        return checked(output, listed)  # type: ignore[arg-type]

    monkeypatch.setattr(input_run, "_checked_marks", altered)
    with pytest.raises(UnbalancedBooks, match="was not written with this key ring, or was altered"):
        run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out")


def forge_ledger_row(path: Path) -> None:
    """The digest of another file in a row that balances as before."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    row = table.to_pylist()[0]
    row["file_digests"] = [(name, "0" * 64) for name, _ in row["file_digests"]]
    pq.write_table(pa.Table.from_pylist([row], schema=table.schema), path)


def test_a_file_of_a_stream_names_the_stream_as_the_way_out(output: Path, key: str, capsys) -> None:
    file = first(output, "displays/*/*.parquet")
    shutil.copy(file, file.with_name(f"{'a' * 16}.20260329T120500Z-0000of0001.parquet"))
    found = problems(output, capsys, key)
    assert [line for line in found if "start that stream again" in line and "no manifest names it" in line]
    assert not [line for line in found if "run that input again" in line]
