"""A change never signs what somebody altered before it: nothing is changed until the files are as they were signed."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from pipelines.erasing.plan import Plan, Removed
from schemas.errors import UnbalancedBooks
from tests.conftest import run_batch, write_lines
from tests.jobs.test_unsigned import CHANGES, CLOSED, ERASED, NOW, PAST, documents
from tests.jobs.test_unsigned import flags_of as with_consent
from tests.support.changes import done, dry
from tests.support.persons import people_file
from tests.support.signed_outputs import alter_cell, first, swap, verified, write_public_key
from transforms.core.output.erased import Erased
from transforms.core.output.layout import Output

Tamper = Callable[[Path], None]
RECORDS = {"erase": "_erased", "withdraw": "_erased", "expire": "_expired"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of people of long ago, of a closed day, of one more input of it, and of now; and broken payloads."""
    folder = tmp_path_factory.mktemp("altered")
    for number, since in enumerate((PAST, CLOSED, CLOSED, NOW)):
        broken = f'{{"client_machineid": "{number}", '.encode()
        raw = write_lines(folder / f"{number}.ndjson", [*documents(since, number), broken])
        run_batch(raw, folder / "out", "--buckets=1", "--close_open_suggestions", "--max_quarantined_share=100%")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path


def flags_of(job: str, folder: Path) -> list[str]:
    """A withdrawal of all but errors, so that whole rows go."""
    flags = with_consent(job, folder)
    if job == "withdraw":
        people_file(folder, ERASED, telemetry_level="error")
    return flags


def displays(output: Path) -> list[Path]:
    """Of the closed day, which has several files."""
    days = sorted((output / "displays").iterdir(), key=lambda day: len([*day.iterdir()]))
    return sorted(days[-1].iterdir())


def a_cell(output: Path) -> None:
    alter_cell(displays(output)[0])


def a_cell_of_each(output: Path) -> None:
    for file in displays(output):
        alter_cell(file)


def two_files(output: Path) -> None:
    swap(*displays(output)[:2])


def one_more(output: Path) -> None:
    file = displays(output)[0]
    shutil.copy(file, file.with_name(f"{'f' * 16}-{file.name.partition('-')[2]}"))


def the_books(output: Path) -> None:
    alter_cell(first(output, f"ledger/{displays(output)[0].parent.name}/{displays(output)[0].name}"))


ALTERED: list[tuple[str, Tamper]] = [
    *((job, tamper) for job in ("erase", "withdraw", "compact") for tamper in (a_cell, a_cell_of_each, two_files)),
    ("erase", one_more), ("withdraw", one_more),
]  # fmt: skip


def check_refused(folder: Path, job: str, named: str) -> None:
    output, before = folder / "out", files_of(folder / "out")
    _, checksum = dry(CHANGES[job], *flags_of(job, folder))
    with pytest.raises(UnbalancedBooks, match=rf"nothing was changed.*{named}"):
        CHANGES[job]([*flags_of(job, folder), f"--checksum={checksum}"])
    assert files_of(output) == before


def files_of(output: Path) -> dict[str, bytes]:
    """All but the trail of who read what, to which a look into quarantine adds a line."""
    return {str(p): p.read_bytes() for p in output.rglob("*") if p.is_file() and "_audit" not in p.parts}


@pytest.mark.parametrize(("job", "tamper"), ALTERED, ids=[f"{job} {tamper.__name__}" for job, tamper in ALTERED])
def test_what_was_altered_is_not_signed(job: str, tamper: Tamper, folder: Path, made: Path) -> None:
    tamper(folder / "out")
    check_refused(folder, job, "displays/")
    shutil.rmtree(folder / "out")
    shutil.copytree(made / "out", folder / "out")
    assert "receipt: " in done(CHANGES[job], *flags_of(job, folder))
    verified(folder / "out", f"--public_key={write_public_key(folder / 'signing.pub')}")


@pytest.mark.parametrize("job", ["erase", "withdraw"])
def test_nor_are_its_books(job: str, folder: Path) -> None:
    the_books(folder / "out")
    check_refused(folder, job, "ledger/")


def test_nor_is_the_mark_that_vouches_for_a_row_of_another_day(tmp_path: Path) -> None:
    """A late event of the day before: its ledger row is told by the mark of its window, which is written anew, too."""
    name, late, mark = "00000000000000aa.20260401T000500Z-0000of0001.parquet", date(2026, 3, 31), date(2026, 4, 1)
    plan = Plan("erase", 1, 1, Erased(), ledger=[Removed(late, name, {"displays": 1})])
    ledger = [path for path in plan.vouched(Output(str(tmp_path))) if path.startswith("ledger/")]
    assert ledger == [f"ledger/received_date={day}/{name}" for day in (late, mark)]


@pytest.mark.parametrize("job", sorted(RECORDS))
def test_nor_the_records_that_a_change_adds_to(job: str, folder: Path) -> None:
    """Whoever empties the record of who was erased brings them back with an old input."""
    done(CHANGES[job], *flags_of(job, folder))
    raw = write_lines(folder / "more.ndjson", [*documents(PAST, 7), *documents(CLOSED, 8)])
    record = folder / "out" / RECORDS[job] / "record.json"
    record.unlink()
    run_batch(raw, folder / "out", "--close_open_suggestions")
    check_refused(folder, job, record.parent.name)


@pytest.mark.parametrize("job", sorted(CHANGES))
def test_without_anything_altered_each_goes_on(job: str, folder: Path) -> None:
    assert "receipt: " in done(CHANGES[job], *flags_of(job, folder))
    verified(folder / "out", f"--public_key={write_public_key(folder / 'signing.pub')}")
