"""What killed jobs left goes when the next job holds the output, and verify names it until then."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import compact, metrics, verify
from schemas.errors import UnbalancedBooks
from tests.conftest import KEY_RING, PRIVATE, run_batch, sample, write_lines
from tests.support.changes import done
from transforms.core.output.layout import Output
from transforms.core.output.sweeping import sweep_output
from transforms.core.storage import halves

_ON_ANOTHER_DISK = f"_writing/.writing-1-{halves._ELSEWHERE}.half"
LEFT = {
    "_writing/.writing-1-x.parquet.half": b"rows",
    _ON_ANOTHER_DISK: b"displays/received_date=2026-03-29",
    "displays/received_date=2026-03-29/.writing-1-x.parquet.half": b"rows",
    ".writing-1-_claim.json.abc.beat.half": b"0",
    "runs/.writing-1-x.json.half": b"{}",
    "runs/manifests/output/000000/.writing-1-000000002.jsonl.half": b"{}",
    "_audit/.writing-1-000000000001.json.half": b"{}",
    "_spill/0123": b"sealed",
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A signed output in which jobs were killed at every place where they leave something."""
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out")
    for path, data in LEFT.items():
        (tmp_path / "out" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / path).write_bytes(data)
    return tmp_path / "out"


def left(output: Path) -> list[str]:
    return [path for path in LEFT if (output / path).exists()]


def replay(output: Path) -> None:
    """The command once more, when a run of it was killed at its very end: there is nothing to replay any more."""
    from pipelines import replay as job

    private = f"--private_key={PRIVATE / 'operators.json'}"
    done(job.main, f"--output={output}", f"--key_ring={KEY_RING}", private, "--purpose=test")


def unsigned(output: Path) -> None:
    """`sign` refuses a signed output, and holds it all the same."""
    from pipelines import sign
    from schemas.errors import InvalidOptions

    with pytest.raises(InvalidOptions, match="is signed already"):
        sign.main([f"--datasets={output}", f"--key_ring={KEY_RING}"])


JOBS: dict[str, Callable[[Path], object]] = {
    "batch": lambda out: run_batch(out.parent / "raw.ndjson", out),
    "compact": lambda out: done(compact.main, f"--datasets={out}", f"--key_ring={KEY_RING}"),
    "replay": replay,
    "sign": unsigned,
}


@pytest.mark.parametrize("job", JOBS)
def test_the_next_job_that_holds_the_output_sweeps_all_of_it(
    out: Path, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={out}", "--max_unjoined=100%"])
    told = capsys.readouterr().out.splitlines()
    assert {line.partition(": half written")[0] for line in told} == {*LEFT}, "each is named, and nothing else"
    JOBS[job](out)
    assert left(out) == []
    verify.main([f"--datasets={out}", "--max_unjoined=100%"])


def test_what_is_written_beside_a_running_job_sweeps_nothing_of_it(out: Path) -> None:
    metrics.main([f"--datasets={out}", f"--key_ring={KEY_RING}"])
    assert left(out) == [*LEFT]


def test_an_output_that_is_not_signed_is_told_of_them_too(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("runs/manifests/output/000000/000000001.jsonl", "_signing.pub"):
        (out / name).unlink()
    verify.main([f"--datasets={out}", "--max_unjoined=100%"])
    told = capsys.readouterr().err
    assert [path for path in LEFT if f"{path}: half written" not in told] == []


def test_a_link_in_place_of_the_spill_folder_is_left_to_who_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "_spill").symlink_to(tmp_path / "elsewhere")
    assert sweep_output(Output(str(tmp_path / "out"))) == 0
    assert (tmp_path / "elsewhere" / "mine").exists()
