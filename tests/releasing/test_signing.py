"""Figures are signed only of rows that still are as they were signed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import metrics
from schemas.errors import InvalidOptions, UnbalancedBooks
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from tests.support.signed_outputs import alter_cell, first, make_signed_output, remove_day, swap, verified
from transforms.core.output.layout import UNSIGNED_FOLDER

EXACT = ("--privacy_epsilon=none", "--min_installations=1")
SECOND_DAY = "2026-03-30"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_signed_output(tmp_path_factory.mktemp("signed"))


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "out")
    return tmp_path / "out"


def publish(output: Path, *flags: str) -> None:
    metrics.main([f"--datasets={output}", *EXACT, *flags])


def display(output: Path, day: str) -> Path:
    return first(output, f"displays/received_date={day}/*.parquet")


def another_cell(output: Path) -> None:
    alter_cell(display(output, SECOND_DAY))


def a_file_gone(output: Path) -> None:
    first(output, f"suggestions/received_date={SECOND_DAY}/*.parquet").unlink()


def one_file_more(output: Path) -> None:
    file = display(output, SECOND_DAY)
    shutil.copy(file, file.with_name(f"{'f' * 16}-{file.name.partition('-')[2]}"))


def the_day_before(output: Path) -> None:
    alter_cell(display(output, "2026-03-29"))


def two_days_swapped(output: Path) -> None:
    swap(display(output, SECOND_DAY), display(output, "2026-03-29"))


def a_dataset_gone(output: Path) -> None:
    shutil.rmtree(display(output, SECOND_DAY).parent)


TAMPERINGS = (another_cell, a_file_gone, one_file_more, the_day_before, two_days_swapped, a_dataset_gone)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_what_was_altered_makes_no_figures(tamper: Callable[[Path], None], output: Path) -> None:
    tamper(output)
    with pytest.raises(UnbalancedBooks, match=r"as it was signed: .*(displays|suggestions)/received_date="):
        publish(output, f"--key_ring={KEY_RING}", f"--date={SECOND_DAY}")
    assert not [*output.glob("acceptance/*/*")]


def test_other_days_may_be_asked_for(output: Path) -> None:
    another_cell(output)
    publish(output, f"--key_ring={KEY_RING}", "--date=2026-03-29")
    assert [*output.glob("acceptance/received_date=2026-03-29/*")]


def test_what_is_as_it_was_signed_makes_them(output: Path) -> None:
    publish(output, f"--key_ring={KEY_RING}")
    assert [*output.glob(f"acceptance/received_date={SECOND_DAY}/*")]
    verified(output)


def test_without_a_ring_nothing_is_vouched_for(output: Path) -> None:
    another_cell(output)
    publish(output)
    assert [*output.glob("acceptance/*/*")]


def test_days_that_are_removed_whole_are_no_days_any_more(output: Path) -> None:
    """The ledger tells which days there are; verify finds this."""
    remove_day(output, SECOND_DAY)
    publish(output, f"--key_ring={KEY_RING}")
    with pytest.raises(UnbalancedBooks):
        verified(output)


def test_a_day_waits_until_the_run_beside_it_has_signed(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever puts files there in the name of a run gets no figures of them either."""
    shown = sample()
    shown["collector"]["received_at"] = f"{SECOND_DAY}T13:00:00Z"
    write_lines(tmp_path / "more.ndjson", [shown])
    run_batch(tmp_path / "more.ndjson", tmp_path / "other", "--close_open_suggestions")
    landed = display(tmp_path / "other", SECOND_DAY)
    shutil.copy(landed, display(output, SECOND_DAY).with_name(landed.name))
    with pytest.raises(UnbalancedBooks, match="is told by no manifest"):
        publish(output, f"--key_ring={KEY_RING}")
    begun = output / UNSIGNED_FOLDER / f"{landed.name.partition('-')[0]}.json"
    begun.write_text("{}")
    publish(output, f"--key_ring={KEY_RING}")
    assert f"{SECOND_DAY}: a job has not signed" in capsys.readouterr().out
    assert [path.parent.name for path in output.glob("acceptance/*/*")] == ["received_date=2026-03-29"]
    with pytest.raises(InvalidOptions, match=f"--date {SECOND_DAY}: a job has not signed"):
        publish(output, f"--key_ring={KEY_RING}", f"--date={SECOND_DAY}")


def test_files_that_are_gone_make_their_days_wait_too(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else whoever takes them away in the name of a run that goes on would have figures signed without them."""
    name = display(output, SECOND_DAY).name
    for file in output.glob(f"*/received_date={SECOND_DAY}/{name}"):
        if file.parts[-3] != "ledger":
            file.unlink()
    (output / UNSIGNED_FOLDER / f"{name.partition('-')[0]}.json").write_text("{}")
    publish(output, f"--key_ring={KEY_RING}")
    assert f"{SECOND_DAY}: a job has not signed" in capsys.readouterr().out
    assert [path.parent.name for path in output.glob("acceptance/*/*")] == ["received_date=2026-03-29"]


def test_all_days_may_wait(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day in (SECOND_DAY, "2026-03-29"):
        name = display(output, day).name
        shutil.copy(display(output, day), display(output, day).with_name(f"{'f' * 16}-{name.partition('-')[2]}"))
    (output / UNSIGNED_FOLDER / f"{'f' * 16}.json").write_text("{}")
    for flags in (EXACT, ("--privacy_epsilon=1",)):
        metrics.main([f"--datasets={output}", f"--key_ring={KEY_RING}", *flags])
    assert "days from 2026-03-29 to 2026-03-30: a job has not signed" in capsys.readouterr().out
    assert not [*output.glob("acceptance/*/*")]
