"""An export is everything of one person, nothing of anybody else, and clear values lie in its folder alone."""

import io
import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import export, keys
from pipelines.exporting import folder as export_folder
from schemas.errors import InvalidOptions, KeyUnavailable, StorageUnavailable, UnfinishedChange
from schemas.registry import load
from tests.conftest import KEY_RING, PRIVATE, read_rows, run_batch, write_lines
from tests.support.persons import life, machine, people_file, session, user
from transforms.core.audit.chain import check
from transforms.core.output.layout import Output
from transforms.core.output.unfinished import begun

PURPOSE = "--purpose=asked for on paper"
DAYS = ("2026-03-29T10:00:12.920Z", "2026-04-02T11:00:00Z")
PAYLOAD = "a payload of person"


def broken(person: int) -> bytes:
    """A line that is cut, with its stamp first, so that its bytes are kept."""
    stamp = {"received_at": DAYS[0], "client_ip": "81.2.69.177", "telemetry_level": "all", "snippet_consent": True}
    return b'{"collector": %b, "machine": "%b", "x": "%b %d' % (
        json.dumps(stamp).encode(), machine(person).encode(), PAYLOAD.encode(), person,
    )  # fmt: skip


def lines_of(person: int) -> list[Any]:
    return [*(event for number, day in enumerate(DAYS) for event in life(person, number, day)), broken(person)]


def land(folder: Path, name: str, people: list[int]) -> Path:
    raw = write_lines(folder / f"{name}.ndjson", [line for person in people for line in lines_of(person)])
    run_batch(raw, folder / name, "--max_quarantined_share=100%", "--close_open_suggestions")
    return folder / name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All people, the person alone, and all others alone."""
    folder = tmp_path_factory.mktemp("export")
    land(folder, "all", [1, 2, 3, 4])
    land(folder, "alone", [2])
    land(folder, "others", [1, 3, 4])
    return folder


def run(
    made: Path, to: Path, *flags: str, people: Path | None = None, operator: str = f"{PRIVATE}/operators.json"
) -> None:
    who = people or people_file(to.parent, [2])
    given = [f"--datasets={made}/all", f"--key_ring={KEY_RING}", f"--people={who}", f"--to={to}"]
    export.main([*given, f"--operator_key={operator}", f"--audit_log={to.parent}/audit", PURPOSE, *flags])


def checksum_of(made: Path, to: Path, capsys: pytest.CaptureFixture[str], *flags: str, **more: Any) -> str:
    capsys.readouterr()
    run(made, to, "--dry_run", *flags, **more)
    return capsys.readouterr().out.split()[-1]


def exported(made: Path, to: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, list[dict[str, Any]]]:
    run(made, to, f"--checksum={checksum_of(made, to, capsys, *flags)}", *flags)
    return {p.stem: [json.loads(line) for line in p.read_text().splitlines()] for p in to.glob("*.jsonl")}


CODE = (f"--private_key={PRIVATE}/prompts.json", f"--private_key={PRIVATE}/completions.json")


def test_everything_of_the_person_is_there_and_nothing_else(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the person would have in an output of his own, under the same keys, is what the export has."""
    found = exported(made, tmp_path / "to", capsys, *CODE)
    datasets = {p.name for p in (made / "alone").iterdir() if p.is_dir() and not p.name.startswith("_")}
    assert {*found} == datasets - {"ledger", "runs"} >= {"suggestions", "snippets", "quarantine", "displays"}
    for dataset, rows in found.items():
        expected = read_rows(made / "alone", dataset)
        assert len(rows) == len(expected) > 0
        key = "payload_id" if dataset == "quarantine" else "suggestion_id"
        assert sorted(row[key] for row in rows if key in row) == sorted(r[key] for r in expected if r[key])
        assert {row["received_date"] for row in rows} == {row["received_date"] for row in expected}
        compared = {"received_date", "installation_id", "session_id", "outcome", "country", "language", "reason"}
        assert sorted(str({k: row[k] for k in sorted(compared) if k in row}) for row in rows) == sorted(
            str({k: row[k] for k in sorted(compared) if row.get(k) is not None}) for row in expected
        )
        assert pq.read_table(tmp_path / "to" / f"{dataset}.parquet").num_rows == len(rows)
    assert [row["payload"].endswith(f"{PAYLOAD} 2") for row in found["quarantine"]] == [True]
    assert [row["completion_text_json"] for row in found["snippets"]] == ['"return w * h"'] * 2


def text_of(folder: Path) -> str:
    """Every file's bytes, and every value of its Parquet files."""
    parts = [path.read_bytes().decode("utf-8", "replace") for path in folder.iterdir()]
    return "".join([*parts, *(str(pq.read_table(path).to_pylist()) for path in folder.glob("*.parquet"))])


def test_no_pseudonym_of_anybody_else_is_in_it(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(made, tmp_path / "to", capsys, *CODE)
    pseudonyms, text = set(), text_of(tmp_path / "to")
    for path in (made / "others").glob("*/received_date=*/*.parquet"):
        schema = load(path.parts[-3])
        names = [f.name for f in schema.fields if f.pseudonym_domain or f.name == "payload_id"]
        for row in pq.ParquetFile(path).read(columns=names).to_pylist():
            pseudonyms |= {value for value in row.values() if value}
    assert len(pseudonyms) > 30
    assert not [value for value in pseudonyms if value in text]
    for person in (1, 3, 4):
        assert not [raw for raw in (machine(person), session(person), user(person)) if raw in text]
        assert f"{PAYLOAD} {person}" not in text
    assert machine(2) in text, "the search itself"


def test_every_column_is_explained(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(made, tmp_path / "to", capsys)
    page = (tmp_path / "to" / "README.md").read_text()
    for path in (tmp_path / "to").glob("*.parquet"):
        section = page.partition(f"## {path.stem}\n")[2].partition("\n## ")[0]
        for name in pq.read_schema(path).names:
            assert f"\n| {name} | " in section, (path.stem, name)
    assert "Code of role prompts is not in it" in page
    assert "by operators, who stands for it" in page


def test_the_folder_is_its_owner_s_alone(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = os.umask(0)
    try:
        exported(made, tmp_path / "to", capsys)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "to").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "to").iterdir()} == {0o600}
    assert not list((tmp_path / "to").glob("_*"))


def test_clear_values_lie_nowhere_else(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not on the screen, not in the audit trail, not in temporary files, not in the output."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    shutil.copytree(made / "all", tmp_path / "all")
    checksum = checksum_of(tmp_path, tmp_path / "to", capsys, *CODE)
    (tmp_path / "people.jsonl").rename(tmp_path.parent / f"{tmp_path.name}.people")
    people = tmp_path.parent / f"{tmp_path.name}.people"
    run(tmp_path, tmp_path / "to", f"--checksum={checksum}", *CODE, people=people)
    shown = capsys.readouterr()
    clear = [text.encode() for text in (machine(2), session(2), user(2), PAYLOAD, "return w * h")]
    assert b"return w * h" in (tmp_path / "to" / "snippets.jsonl").read_bytes(), "the search itself"
    files = [p for p in tmp_path.rglob("*") if p.is_file() and tmp_path / "to" not in p.parents]
    for data in [(shown.out + shown.err).encode(), *(path.read_bytes() for path in files)]:
        assert not [text for text in clear if text in data]
    assert list((tmp_path / "audit").iterdir())


def test_the_trail_says_who_stands_for_it_and_who_lent_a_key(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported(made, tmp_path / "to", capsys, CODE[0])
    found = check(str(tmp_path / "audit"))
    assert found.problems == []
    looked = [line for line in found.lines if line.action == "look for a person"]
    assert [(line.who, line.role, line.rows) for line in looked] == [("operators", "operators", 4)] * 2
    lines = [(line.role, line.dataset, line.rows) for line in found.lines if line.action == "export"]
    assert ("operators", "displays", 2) in lines
    assert ("operators", "quarantine", 1) in lines
    assert ("operators", "snippets", 2) in lines
    assert ("prompts", "snippets", 2) in lines
    assert {line.purpose for line in found.lines} == {"asked for on paper"}


def test_without_a_line_nothing_is_written(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checksum = checksum_of(made, tmp_path / "to", capsys)
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable):
        run(made, tmp_path / "to", f"--checksum={checksum}", f"--audit_log={tmp_path}/file/trail")
    assert not (tmp_path / "to").exists()


def test_a_dry_run_counts_only(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(made, tmp_path / "to", "--dry_run")
    told = capsys.readouterr().out
    assert "  displays: 2 rows of 2 days\n" in told
    assert "  quarantine: 1 rows of 1 days\n" in told
    assert not (tmp_path / "to").exists()


def test_another_person_has_another_checksum(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checksum = checksum_of(made, tmp_path / "to", capsys)
    with pytest.raises(InvalidOptions, match="has another checksum"):
        run(made, tmp_path / "to", f"--checksum={checksum}", people=people_file(tmp_path, [3]))
    with pytest.raises(InvalidOptions, match="has another checksum"):
        run(made, tmp_path / "to", f"--checksum={checksum}", *CODE)
    assert not (tmp_path / "to").exists()


def test_folders_that_are_not_private_or_not_empty_are_refused(made: Path, tmp_path: Path) -> None:
    open_to_all, full, link = tmp_path / "open", tmp_path / "full", tmp_path / "link"
    for path, mode in ((open_to_all, 0o750), (full, 0o700)):
        path.mkdir()
        path.chmod(mode)
    (full / "mine").touch()
    link.symlink_to(full)
    for path, told in ((open_to_all, "others may read it"), (full, "is not empty"), (link, "is no folder")):
        with pytest.raises(InvalidOptions, match=told):
            run(made, path, "--dry_run", people=people_file(tmp_path, [2]))
    with pytest.raises(InvalidOptions, match="allowed is a local folder"):
        run(made, tmp_path / "x", "--dry_run", "--to=s3://bucket/x")
    assert (full / "mine").exists()


def test_a_run_that_was_cut_off_is_made_whole_by_the_same_command(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(made, tmp_path / "whole", capsys)

    class Cut(BaseException):
        pass

    def cut(folder: str, dataset: str, table: Any, real: Any = export._write_dataset) -> None:
        real(folder, dataset, table)
        (Path(folder) / ".writing-x.half").write_text("half")
        raise Cut

    monkeypatch.setattr(export, "_write_dataset", cut)
    checksum = checksum_of(made, tmp_path / "to", capsys)
    with pytest.raises(Cut):
        run(made, tmp_path / "to", f"--checksum={checksum}")
    monkeypatch.undo()
    assert (tmp_path / "to" / "_unfinished").exists()
    with pytest.raises(InvalidOptions, match="is not empty"):
        run(made, tmp_path / "to", f"--checksum={'0' * 32}")
    assert checksum_of(made, tmp_path / "to", capsys) == checksum
    run(made, tmp_path / "to", f"--checksum={checksum}")
    assert {p.name: p.read_bytes() for p in (tmp_path / "to").iterdir() if p.suffix == ".jsonl"} == {
        p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir() if p.suffix == ".jsonl"
    }
    assert {p.name for p in (tmp_path / "to").iterdir()} == {p.name for p in (tmp_path / "whole").iterdir()}


def test_only_an_operator_of_this_ring_stands_for_it(made: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="an operator stands for an export"):
        run(made, tmp_path / "to", "--dry_run", operator=f"{PRIVATE}/prompts.json")
    keys.create(str(tmp_path / "other"), "2026-03", 1)
    with pytest.raises(KeyUnavailable, match="does not open"):
        run(made, tmp_path / "to", "--dry_run", operator=f"{tmp_path}/other/private/operators.json")


def test_key_files_of_code_are_checked(made: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="role operators may read no code"):
        run(made, tmp_path / "to", "--dry_run", f"--private_key={PRIVATE}/operators.json")
    with pytest.raises(InvalidOptions, match="two files are of one role"):
        run(made, tmp_path / "to", "--dry_run", CODE[0], CODE[0])


def test_one_person_at_a_time(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="2 people are named"):
        run(made, tmp_path / "to", "--dry_run", people=people_file(tmp_path, [2, 3]))


def test_ids_from_standard_input(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"tracking {user(2)}\n".encode())))
    run(made, tmp_path / "to", "--dry_run", people=Path("-"))
    assert "  displays: 2 rows" in capsys.readouterr().out


def test_a_person_of_whom_nothing_is_there(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = people_file(tmp_path, [77])
    checksum = checksum_of(made, tmp_path / "to", capsys, people=nobody)
    run(made, tmp_path / "to", f"--checksum={checksum}", people=nobody)
    assert [p.name for p in (tmp_path / "to").iterdir()] == ["README.md"]


def test_a_month_of_code_that_was_destroyed_is_told(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((PRIVATE / "completions.json").read_text())
    document["private_keys"].pop("2026-03")
    (tmp_path / "completions.json").write_text(json.dumps(document))
    (tmp_path / "completions.json").chmod(0o600)
    found = exported(made, tmp_path / "to", capsys, f"--private_key={tmp_path}/completions.json")
    assert ["completion_text_json" in row for row in found["snippets"]].count(True) == 1
    assert (
        "Code of role completions: 1 rows have none that can still be opened."
        in (tmp_path / "to" / "README.md").read_text()
    )


def test_it_is_refused_while_a_change_is_unfinished(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "all", tmp_path / "all")
    begun("erase", "abc", [], []).save(Output(f"{tmp_path}/all"))
    with pytest.raises(UnfinishedChange):
        run(tmp_path, tmp_path / "to", "--dry_run")
    assert export_folder._marked(str(tmp_path)) is None
