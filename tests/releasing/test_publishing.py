"""A day is published once: it stays whatever lands or is asked for afterwards, and what it has spent is written down."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipelines import generate, metrics, verify
from pipelines.releasing import publishing
from pipelines.releasing.flags import epsilon
from pipelines.releasing.publications import is_closed, read_publications
from schemas.errors import InvalidOptions, KeyUnavailable, StorageRefused, UnbalancedBooks
from tests.conftest import KEY_RING, read_rows, run_batch
from transforms.core.output.layout import Output
from transforms.core.times import UNKNOWN_DATE

DAYS = ["2026-03-29", "2026-03-30"]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("publishing")
    generate.main([f"--output={folder}/day", "--events=6000", "--seed=31", "--date=2026-03-29"])
    generate.main([f"--output={folder}/late", "--events=300", "--seed=32", "--date=2026-03-29"])
    run_batch(folder / "day" / "raw", folder / "out", "--close_open_suggestions")
    return folder


@pytest.fixture
def output(landed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(landed / "out", tmp_path / "out")


def publish(output: Path, *flags: str) -> None:
    metrics.main([f"--datasets={output}", "--privacy_epsilon=20", *flags])


def files(output: Path) -> dict[str, bytes]:
    return {str(f.relative_to(output)): f.read_bytes() for f in sorted(output.glob("acceptance/*/*.parquet"))}


def privacy_of(output: Path, day: str = DAYS[0]) -> dict[str, Any]:
    metadata = pq.read_metadata(output / f"acceptance/received_date={day}/acceptance.parquet").metadata
    return dict(json.loads(metadata[b"privacy"]))


def test_rows_are_of_noised_counts_and_say_so(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(output)
    rows = [row for row in read_rows(output, "acceptance") if row["kind"] == "ghost_text"]
    assert rows
    for row in rows:
        assert row["privacy_epsilon"] == 20
        assert row["publication"] == 1
        assert row["accepted"] + row["hidden"] + row["ignored"] == row["shown"]
        assert row["accepted"] == row["accepted_full"] + row["accepted_partial"]
        assert (row["acceptance_rate"] is None) == (row["acceptance_rate_se"] is None)
        assert 0 <= (row["acceptance_rate"] or 0) <= 1
        assert row["latency_p50_ms"] is row["displays"] is row["decision_p95_ms"] is None
    assert any(row["acceptance_rate_se"] for row in rows)
    told = privacy_of(output)
    assert (told["epsilon"], told["publication"], told["epsilon_spent"], told["delta"]) == (20, 1, 20, 1e-7)
    assert told["points_a_day"]["suggestions"] == 60
    assert "epsilon of an installation that was there every day: 2026-03: 40" in capsys.readouterr().out


def test_published_figures_are_not_drawn_again(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(output)
    before = files(output)
    publish(output)
    publish(output, f"--date={DAYS[0]}", "--min_installations=2")
    metrics.main([f"--datasets={output}", "--privacy_epsilon=1"])
    assert files(output) == before
    assert "2 days from 2026-03-29 to 2026-03-30: is published" in capsys.readouterr().out


def test_a_day_of_too_few_has_a_file_without_rows_that_is_not_drawn_again_either(output: Path) -> None:
    publish(output, "--min_installations=1000000")
    before = files(output)
    assert len(before) == 2
    assert read_rows(output, "acceptance") == []
    assert pl.scan_parquet(f"{output}/acceptance").collect().height == 0
    publish(output)
    assert files(output) == before


def test_what_lands_late_changes_nothing_that_was_published(
    landed: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The difference of two publications would be the late person's counts."""
    publish(output)
    before = files(output)
    run_batch(landed / "late" / "raw", output, "--close_open_suggestions")
    publish(output)
    assert files(output) == before
    assert "has changed since they were published; they stay as they are; --revise" in capsys.readouterr().out
    with pytest.raises(InvalidOptions, match="has changed since they were published"):
        publish(output, f"--date={DAYS[0]}")
    publish(output, f"--date={DAYS[0]}", "--revise")
    assert files(output) != before
    assert {row["publication"] for row in read_rows(output, "acceptance") if str(row["received_date"]) == DAYS[0]} == {
        2
    }
    assert (privacy_of(output)["publication"], privacy_of(output)["epsilon_spent"]) == (2, 40)
    assert read_publications(Output(str(output))).days[date(2026, 3, 29)].epsilon_spent == 40


def test_a_run_that_is_killed_before_the_record_does_not_draw_again(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publishing.Publications, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(output)
    (before,) = files(output).items()
    publish(output)
    assert before in files(output).items()
    assert {p.epsilon_spent for p in read_publications(Output(str(output))).days.values()} == {20}


def test_a_published_file_that_is_gone_is_not_made_again_by_itself(output: Path) -> None:
    publish(output)
    (output / f"acceptance/received_date={DAYS[0]}/acceptance.parquet").unlink()
    publish(output)
    assert len(files(output)) == 1
    with pytest.raises(InvalidOptions, match="its file is gone; --revise"):
        publish(output, f"--date={DAYS[0]}")


def test_exact_figures_say_so_and_do_not_take_the_place_of_noised_ones(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(output, f"--date={DAYS[0]}")
    before = files(output)
    exact = ["--privacy_epsilon=none", "--min_installations=3"]
    metrics.main([f"--datasets={output}", *exact])
    told = capsys.readouterr().out
    assert "2026-03-29: it was published with noise, which exact figures would undo" in told
    assert "exact figures, for a closed team" in told
    assert files(output).items() > before.items()
    assert privacy_of(output, DAYS[1])["note"].startswith("exact figures, for a closed team")
    with pytest.raises(InvalidOptions, match="exact figures would undo"):
        metrics.main([f"--datasets={output}", *exact, f"--date={DAYS[0]}"])
    with pytest.raises(InvalidOptions, match="its exact figures were published"):
        publish(output, f"--date={DAYS[1]}")
    publish(output, f"--date={DAYS[1]}", "--revise")
    assert privacy_of(output, DAYS[1])["epsilon"] == 20


def test_a_day_is_published_when_nothing_more_is_to_land_in_it(output: Path) -> None:
    age = datetime.now(UTC) - datetime(2026, 3, 31, tzinfo=UTC)  # the end of the 30th
    publish(output, f"--closed_after={age.days + 1}d")
    assert [name[25:35] for name in files(output)] == [DAYS[0]]
    with pytest.raises(InvalidOptions, match="is not closed yet"):
        publish(output, f"--closed_after={age.days + 1}d", f"--date={DAYS[1]}", "--revise")


def test_when_a_day_is_closed() -> None:
    end = datetime(2026, 3, 30, tzinfo=UTC)
    assert not is_closed(date(2026, 3, 29), end + timedelta(hours=24, minutes=59), timedelta(hours=25))
    assert is_closed(date(2026, 3, 29), end + timedelta(hours=25), timedelta(hours=25))
    assert not is_closed(UNKNOWN_DATE, end, timedelta(0))


def test_refusals(output: Path) -> None:
    with pytest.raises(InvalidOptions, match="--revise goes with --date"):
        publish(output, "--revise")
    assert (epsilon("none"), epsilon("0"), epsilon("0.5"), epsilon("20")) == (None, None, 0.5, 20)
    for wrong in ("-1", "21", "0.001", "nan", "inf", "", "all"):
        with pytest.raises(InvalidOptions, match=r"from 0\.01 to 20, and none for exact"):
            metrics.main([f"--datasets={output}", f"--privacy_epsilon={wrong}"])
    (output / "_published").mkdir()
    (output / "_published" / "acceptance.json").write_text("{")
    with pytest.raises(StorageRefused, match="is damaged"):
        publish(output)


def test_what_is_published_is_signed_where_the_output_is(landed: Path, tmp_path: Path) -> None:
    run_batch(landed / "late" / "raw", tmp_path / "out", "--close_open_suggestions")
    output, ring = tmp_path / "out", f"--key_ring={KEY_RING}"
    publish(output, ring, f"--date={DAYS[0]}")
    verify.main([f"--datasets={output}"])
    publish(output, ring, f"--date={DAYS[0]}", "--revise")
    noised = files(output)
    metrics.main([f"--datasets={output}", ring, "--privacy_epsilon=none", f"--date={DAYS[0]}", "--revise"])
    verify.main([f"--datasets={output}"])
    with pytest.raises(KeyUnavailable, match="is signed"):
        publish(output, f"--date={DAYS[0]}", "--revise")
    file, data = next(iter(noised.items()))
    (output / file).write_bytes(data)
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={output}"])
