"""A run of no use is not green: it says so first, then the books, and ends with 3."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines import batch, metrics, report, streaming
from pipelines.options.flags import share
from pipelines.running.summary import describe, describe_refused
from pipelines.running.verdict import unusable
from schemas.errors import InternalError, InvalidOptions
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from transforms.core.keys import keyring
from transforms.core.output.books import Books
from transforms.core.output.refused import Refusals, Refused

ROOT = Path(__file__).parents[2]


def job(name: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", f"pipelines.{name}", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), timeout=200)


def batch_job(source: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return job("batch", f"--input={source}", f"--output={output}", f"--key_ring={KEY_RING}", "--buckets=4", *more)


def test_a_readme_as_input(tmp_path: Path) -> None:
    done = batch_job(ROOT / "README.md", tmp_path / "out")
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert "were quarantined, more than --max_quarantined_share 5%" in done.stderr
    assert "is this telemetry?" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "0 landed" in done.stdout
    assert batch_job(ROOT / "README.md", tmp_path / "again", "--max_quarantined_share=100%").returncode == 0


@pytest.mark.parametrize(("level", "told"), [("off", "off, missing or none that is known"), (None, "off, missing"),
                                             ("crash", "telemetry_level is crash"), ("error", "and they need all")])  # fmt: skip
def test_all_withheld_names_the_level(tmp_path: Path, level: str | None, told: str) -> None:
    document = sample()
    document["collector"]["telemetry_level"] = level
    done = batch_job(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "out")
    assert done.returncode == 3
    assert done.stderr.startswith("error: nothing landed of 1 events; 1 were withheld: ")
    assert told in done.stderr


def test_what_landed_stays_and_fields_are_named(tmp_path: Path) -> None:
    bad = sample("displays/fail/huge_number.invalid_value")
    path = write_lines(tmp_path / "raw.ndjson", [sample(), bad])
    done = batch_job(path, tmp_path / "out")
    assert done.returncode == 3
    assert "1 landed" in done.stdout
    assert "1 invalid_value: displays" in done.stdout
    assert job("verify", f"--datasets={tmp_path}/out").returncode == 0
    again = batch_job(path, tmp_path / "out", "--max_quarantined_share=0.5")
    assert again.returncode == 0


def test_nothing_new_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    path = write_lines(tmp_path / "raw" / "a.ndjson", [sample()])
    write_lines(tmp_path / "raw" / "b.ndjson", [sample("outcomes/pass/ghostText.accepted")])
    assert batch_job(tmp_path / "raw", tmp_path / "out").returncode == 0
    assert batch_job(path, tmp_path / "out").returncode == 0
    assert batch_job(write_lines(tmp_path / "empty.ndjson", []), tmp_path / "out").returncode == 0


def verdict(books: Books, months: dict[str, set[str]] | None = None, ring: Any = None) -> str | None:
    ring = ring or keyring.load(KEY_RING)
    return unusable(books, Refusals(Counter(), months or {}), share("5%"), "keys", ring)


def test_months_that_are_missing_name_their_command() -> None:
    ring = keyring.load(KEY_RING)
    books = Books(payloads=10, events=10, landed=1, quarantined=Counter({"outside_key_ring": 9}))
    months = {"outside_key_ring": {"2024-05", "2025-01", max(ring.epochs)}}
    told = verdict(books, months) or ""
    assert "python -m pipelines.keys rotate --key_ring keys --through 2024-05, and then run it again" in told
    told = verdict(books, {"outside_key_ring": {"2024-05", "2099-01"}}) or ""
    assert told.count("--through") == 2
    ring.destroyed.append("2024-05")
    assert "the keys of those months are gone" in (verdict(books, {"outside_key_ring": {"2024-05"}}, ring) or "")


def test_what_is_judged() -> None:
    assert verdict(Books()) is None
    assert verdict(Books(events=100, landed=95, quarantined=Counter(invalid_event=5))) is None
    assert "6.0%" in (verdict(Books(events=100, landed=94, quarantined=Counter(invalid_event=6))) or "")
    assert verdict(Books(events=100, duplicate=100)) is None
    told = verdict(Books(events=3, withheld=Counter(off=1), outside_contract=Counter(other=2))) or ""
    assert (
        told
        == "nothing landed of 3 events (1 withheld, 2 outside the contract); 2 are named other, which no schema names"
    )


def test_refused_kinds_are_told_without_values() -> None:
    kinds = Counter({Refused("invalid_value", "displays", "choice", "a whole number"): 7,
                     Refused("malformed_payload", None, None, None): 9,
                     Refused("invalid_event", None, "data.baseData.name", "text"): 1})  # fmt: skip
    lines = [line.strip() for line in describe_refused(Refusals(kinds, {}))]
    assert lines == ["7 invalid_value: displays.choice must be a whole number",
                     "1 invalid_event: data.baseData.name must be text"]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"), [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), ("0", 0.0), ("100%", 1.0), ("1", 1.0)]
)
def test_shares(text: str, value: float) -> None:
    assert share(text).value == value


@pytest.mark.parametrize("text", ["5", "101%", "-1%", "nan", "inf", "", "%", "5%%", "1e-3"])
def test_no_shares(text: str) -> None:
    import argparse

    with pytest.raises(argparse.ArgumentTypeError, match=r"as in 5% or 0\.05"):
        share(text)


def test_too_many_that_our_own_code_fails_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Books(events=10).most_unprocessable(None) == 1000
    assert Books(events=5_000_000).most_unprocessable(None) == 5000
    assert Books(events=10).most_unprocessable(3) == 3
    books = Books(events=10, quarantined=Counter(unprocessable=4))
    batch._check_unprocessable(books, None)
    with pytest.raises(InternalError, match="failed on 4 of 10 payloads, more than --max_unprocessable 3"):
        batch._check_unprocessable(books, 3)


def test_unknown_values_are_told() -> None:
    text = describe(Books(unknown_values=Counter(language=3, model=1)))
    assert "values that are not known and landed as other: 4 (language 3, model 1)" in text


def test_report_and_metrics_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = sample()
    document["collector"]["telemetry_level"] = "off"
    run_batch(write_lines(tmp_path / "raw.ndjson", [document]), tmp_path / "off")
    run_batch(write_lines(tmp_path / "empty.ndjson", []), tmp_path / "empty")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "_output.json").write_bytes((tmp_path / "off" / "_output.json").read_bytes())
    for name in ("off", "empty", "begun"):
        metrics.main([f"--datasets={tmp_path}/{name}"])
        assert "nothing to do" in capsys.readouterr().out
        report.main([f"--datasets={tmp_path}/{name}", f"--to={tmp_path}/page.html"])
        assert "Nothing landed in these days" in (tmp_path / "page.html").read_text()
    run_batch(write_lines(tmp_path / "good.ndjson", [sample()]), tmp_path / "good")
    report.main([f"--datasets={tmp_path}/good", f"--to={tmp_path}/page.html"])
    assert "Nothing landed" not in (tmp_path / "page.html").read_text()
    for refuse in (
        lambda: metrics.main([f"--datasets={tmp_path}/none"]),
        lambda: report.main([f"--datasets={tmp_path}/none", "--to=x.html"]),
    ):
        with pytest.raises(InvalidOptions, match="no ledger there"):
            refuse()


def test_a_watched_folder_that_is_not_there(tmp_path: Path) -> None:
    flags = ["--watch", f"--output={tmp_path}/out", f"--key_ring={KEY_RING}"]
    for folder in ("nope", "file"):
        (tmp_path / "file").write_text("x")
        with pytest.raises(InvalidOptions, match="no such folder to watch"):
            streaming.run([f"--input={tmp_path}/{folder}", *flags])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["batch", "streaming", "verify", "metrics", "report", "keys"])
def test_help_tells_the_exit_codes(name: str) -> None:
    assert "Exit codes: 0 done; 1 refused: flags, keys, " in " ".join(job(name, "--help").stdout.split())
