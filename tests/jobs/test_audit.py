"""A reading leaves its line before anything is handed out; the command lists lines and names what was changed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import audit, snippets
from schemas.errors import InvalidOptions, KeyUnavailable, StorageUnavailable, UnbalancedBooks
from tests.conftest import PRIVATE, run_batch, sample, write_lines


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    april = sample("snippets/pass/engine.prompt")
    april["collector"]["received_at"] = "2026-04-02T00:00:00Z"
    run_batch(write_lines(folder / "raw.ndjson", [sample("snippets/pass/engine.prompt"), april]), folder / "out")
    return folder / "out"


def read(output: Path, trail: Path, *flags: str, role: str = "prompts") -> None:
    key = f"--private_key={PRIVATE}/{role}.json"
    snippets.main([f"--datasets={output}", key, f"--audit_log={trail}", "--purpose=why it repeats itself", *flags])


def lines_of(output: Path, trail: Path, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    capsys.readouterr()
    audit.main([f"--datasets={output}", f"--audit_log={trail}", "--format=json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_reading_of_code_leaves_a_line(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read(output, tmp_path)
    read(output, tmp_path, "--date=2026-04-02", f"--to={tmp_path}/code.jsonl")
    read(output, tmp_path, "--language=no-such-language")
    first, second, third = lines_of(output, tmp_path, capsys)
    assert (first["role"], first["action"], first["dataset"]) == ("prompts", "read code", "snippets")
    assert (first["days"], first["rows"]) == (["2026-03-29", "2026-04-02"], 2)
    assert (second["days"], second["rows"], second["purpose"]) == (["2026-04-02"], 1, "why it repeats itself")
    assert (third["days"], third["rows"]) == ([], 0)


def test_the_line_lies_in_the_output_where_no_other_place_is_named(output: Path) -> None:
    snippets.main([f"--datasets={output}", f"--private_key={PRIVATE}/prompts.json", "--purpose=a test"])
    assert [p.name for p in (output / "_audit").iterdir()] == ["000000000001.json"]


def test_without_a_line_nothing_is_handed_out(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageUnavailable, match="cannot"):
        read(output, tmp_path / "file")
    with pytest.raises(StorageUnavailable, match="cannot"):
        read(output, tmp_path / "file", f"--to={tmp_path}/code.jsonl")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "code.jsonl").exists()


def test_a_key_that_opens_nothing_leaves_no_line(output: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable):
        read(output, tmp_path / "trail", role="operators")
    assert not (tmp_path / "trail").exists()


def test_the_list_is_for_people(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit.main([f"--datasets={output}", f"--audit_log={tmp_path}"])
    assert capsys.readouterr().out.endswith(f"no reading is written down in {tmp_path}\n")
    read(output, tmp_path)
    capsys.readouterr()
    audit.main([f"--datasets={output}", f"--audit_log={tmp_path}"])
    listed, whole, head = capsys.readouterr().out.splitlines()
    assert "read code, snippets, 2026-03-29 to 2026-04-02 (2 days), 2 rows: why it repeats itself" in listed
    assert whole == "1 readings, the chain is whole"
    audit.main([f"--datasets={output}", f"--audit_log={tmp_path}", f"--head={head.split()[1]}"])


def test_a_line_of_somebody_else_moves_no_cursor(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(output, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace('"rows":2', '"rows":3').replace("repeats", "re\\u001b[2J"))
    capsys.readouterr()
    audit.main([f"--datasets={output}", f"--audit_log={tmp_path}"])
    assert "\x1b" not in capsys.readouterr().out


def test_an_altered_line_is_named_and_the_exit_code_says_so(output: Path, tmp_path: Path) -> None:
    read(output, tmp_path)
    read(output, tmp_path)
    path = tmp_path / "000000000001.json"
    path.write_text(path.read_text().replace('"rows":2', '"rows":1'))
    command = [sys.executable, "-m", "pipelines.audit", f"--datasets={output}", f"--audit_log={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert "line 1 is not the one that line 2 was written after" in done.stdout
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("head", ["", "1", "1:abc", "x:" + "a" * 64])
def test_a_head_that_is_none_is_refused(output: Path, head: str) -> None:
    with pytest.raises(InvalidOptions, match="allowed is a head"):
        audit.main([f"--datasets={output}", f"--head={head}"])


def test_a_noted_head_finds_a_cut_end(output: Path, tmp_path: Path) -> None:
    read(output, tmp_path)
    with pytest.raises(UnbalancedBooks, match="1 places of the audit trail"):
        audit.main([f"--datasets={output}", f"--audit_log={tmp_path}", f"--head=2:{'a' * 64}"])
