"""Code opens with the role's key of its month, and with nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from pipelines import keys, snippets
from schemas.errors import InvalidOptions, KeyUnavailable
from tests.conftest import KEY_RING, PRIVATE, run_batch, sample, write_lines

CODE = "def area(w, h):"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snippets")
    documents = [sample("snippets/pass/engine.prompt"), sample("snippets/pass/engine.completion")]
    april = sample("snippets/pass/ghostText.capturedAfterAccepted")
    april["collector"]["received_at"] = "2026-04-02T00:00:00Z"
    april["data"]["baseData"]["properties"]["languageId"] = "go"
    run_batch(write_lines(folder / "raw.ndjson", [*documents, april]), folder / "out")
    return folder / "out"


def read(output: Path, tmp_path: Path, *flags: str, role: str = "prompts", private: Path = PRIVATE) -> list[dict]:
    target = tmp_path / "code.jsonl"
    snippets.main(
        [f"--datasets={output}", f"--private_key={private}/{role}.json", f"--to={target}", "--purpose=a test", *flags]
    )
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_a_role_reads_its_columns_and_no_others(output: Path, tmp_path: Path) -> None:
    prompts = read(output, tmp_path)
    assert sum(CODE in (r["prompt_json"] or "") for r in prompts) == 1
    assert sum(CODE in (r["captured_code_json"] or "") for r in prompts) == 1
    assert "completion_text_json" not in prompts[0]
    completions = read(output, tmp_path, role="completions")
    assert [r["completion_text_json"] for r in completions if r["completion_text_json"]] == ['"return w * h"']
    assert "prompt_json" not in completions[0]


def test_code_was_scrubbed_before_it_was_encrypted(output: Path, tmp_path: Path) -> None:
    text = json.dumps(read(output, tmp_path))
    assert "alice@example.com" not in text
    assert "<REDACTED:email>" in text


def test_rows_by_date_and_language(output: Path, tmp_path: Path) -> None:
    assert len(read(output, tmp_path)) == 3
    assert len(read(output, tmp_path, "--date=2026-03-29")) == 2
    assert [r["language"] for r in read(output, tmp_path, "--language=go")] == ["go"]
    assert read(output, tmp_path, "--date=2026-03-29", "--language=go") == []


def test_to_parquet(output: Path, tmp_path: Path) -> None:
    target = tmp_path / "code.parquet"
    snippets.main(
        [f"--datasets={output}", f"--private_key={PRIVATE}/prompts.json", f"--to={target}", "--purpose=a test"]
    )
    assert pq.read_table(target).num_rows == 3


def test_key_of_another_ring_is_a_clear_error(output: Path, tmp_path: Path) -> None:
    keys.create(str(tmp_path / "other"), "2026-01", 12)
    with pytest.raises(KeyUnavailable, match="does not open the data"):
        read(output, tmp_path, private=tmp_path / "other" / "private")


def test_role_without_code_is_a_clear_error(output: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="role operators may read no code; roles that may: completions, prompts"):
        read(output, tmp_path, role="operators")


def test_missing_key_file_is_one_line_and_exit_code_1(output: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipelines.snippets",
        f"--datasets={output}",
        "--private_key=/nope.json",
        "--purpose=a test",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no role key file at /nope.json")
    assert done.stderr.count("\n") == 1


def test_destroying_a_month_closes_its_code_and_no_other(output: Path, tmp_path: Path) -> None:
    shutil.copytree(KEY_RING, tmp_path / "ring")
    private = tmp_path / "ring" / "private"
    keys.destroy(str(tmp_path / "ring"), str(private), "2026-03")
    with pytest.raises(KeyUnavailable, match=r"key of 2026-03 is not in the key file"):
        read(output, tmp_path, private=private)
    assert len(read(output, tmp_path, "--date=2026-04-02", private=private)) == 1


def test_plain_columns_open_without_any_key_and_code_does_not(output: Path) -> None:
    pattern = f"{output}/snippets/*/*.parquet"
    assert duckdb.sql(f"select sum(prompt_chars) from '{pattern}'").fetchall()[0][0] > 0
    with pytest.raises(duckdb.Error):
        duckdb.sql(f"select prompt_json from '{pattern}'").fetchall()
    for path in output.glob("snippets/*/*.parquet"):
        with pytest.raises(OSError, match="decrypt"):
            pq.ParquetFile(path).read(columns=["prompt_json"])


def test_workers_cannot_read_what_they_wrote(ring: object, output: Path) -> None:
    import pyarrow.parquet.encryption as pe

    from transforms.core.keys.role_encryption import _SealingKms

    factory = pe.CryptoFactory(lambda _: _SealingKms(ring, ["prompts"], "a place"))
    properties = factory.file_decryption_properties(pe.KmsConnectionConfig())
    path = next(output.glob("snippets/*/*.parquet"))
    with pytest.raises(PermissionError, match="no private key"):
        pq.ParquetFile(path, decryption_properties=properties).read(columns=["prompt_json"])


def test_options_are_checked(output: Path, tmp_path: Path) -> None:
    for flags, text in (
        ([f"--datasets={tmp_path}", "--private_key=x", "--purpose=a test"], "no snippets there"),
        ([f"--datasets={output}", "--private_key=x"], "required: --purpose"),
        ([f"--datasets={output}", "--private_key=x", "--purpose=x"], "allowed is one line of 3 to 200 characters"),
        (
            [f"--datasets={output}", "--private_key=x", "--purpose=a test", "--to=code.csv"],
            "allowed are a .parquet file",
        ),
        ([f"--datasets={output}", "--private_key=x", "--date=today"], "allowed is YYYY-MM-DD"),
        ([f"--datasets={output}", "--privat=x"], "required: --private_key"),
    ):
        with pytest.raises(InvalidOptions, match=text):
            snippets.main(flags)
