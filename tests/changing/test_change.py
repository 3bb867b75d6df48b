"""A change needs the checksum of its dry run, makes its plan again when it holds the output, and is finished when cut off."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.changing.change import Change, carry_out, dry_run, run
from schemas.errors import InvalidOptions, OutputInUse, UnfinishedChange
from transforms.core.output.claim import claimed
from transforms.core.output.layout import Output
from transforms.core.output.unfinished import Unfinished, read_unfinished


@dataclass
class Removal:
    """Removes the text files of a folder."""

    names: list[str]

    @property
    def checksum(self) -> str:
        return "of-" + "-".join(self.names)

    @property
    def is_empty(self) -> bool:
        return not self.names

    @property
    def told(self) -> list[str]:
        return [f"{len(self.names)} files"]

    @property
    def payload(self) -> list[str]:
        return self.names

    def vouched(self, _: Output) -> list[str]:
        return []


@dataclass
class Job:
    folder: Path
    dies_at: int = 99
    empty: list[Removal] = field(default_factory=list)

    @property
    def change(self) -> Change[Removal]:
        return Change("remove", Output(str(self.folder)), self.plan, self.finish, None, self.empty.append)

    def plan(self) -> Removal:
        return Removal(sorted(path.name for path in self.folder.glob("*.txt")))

    def finish(self, unfinished: Unfinished) -> str:
        for number, name in enumerate(unfinished.payload_as(list[str])):
            if number == self.dies_at:
                raise KeyboardInterrupt
            (self.folder / name).unlink(missing_ok=True)
        return "the receipt"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    return Job(tmp_path)


def show(change: Change[Removal]) -> None:
    dry_run(change.job, change.output, change.plan)


def left(job: Job) -> set[str]:
    return {path.name for path in job.folder.iterdir() if path.is_file()}


def test_the_checksum_of_the_dry_run_makes_the_change(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    run(job.change, None)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "3 files"
    assert left(job) == {"a.txt", "b.txt", "c.txt"}
    run(job.change, last.removeprefix("checksum "))
    assert capsys.readouterr().out == "changed; receipt: the receipt\n"
    assert left(job) == set()


def test_what_has_changed_since_is_refused(job: Job) -> None:
    checksum = job.plan().checksum
    (job.folder / "d.txt").write_text("new")
    with pytest.raises(InvalidOptions, match="with another checksum"):
        carry_out(job.change, checksum)
    assert left(job) == {"a.txt", "b.txt", "c.txt", "d.txt"}


def test_where_there_is_nothing_the_job_may_note_something(job: Job) -> None:
    assert carry_out(job.change, job.plan().checksum) == "the receipt"
    assert carry_out(job.change, job.plan().checksum) is None
    assert job.empty == [Removal([])]


def test_a_change_that_was_cut_off_keeps_the_output_until_it_is_finished(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    checksum, output = job.plan().checksum, Output(str(job.folder))
    job.dies_at = 1
    with pytest.raises(KeyboardInterrupt):
        carry_out(job.change, checksum)
    assert left(job) == {"b.txt", "c.txt", "_unfinished.json"}
    line = f"by pipelines.remove was cut off; finish it first: run pipelines.remove .* --checksum {checksum}"
    for name in ("_claim.json", "_claim-acceptance.json"):
        with pytest.raises(UnfinishedChange, match=line), claimed(output, name):
            pass
    other = Change("other", output, job.plan, job.finish, None)
    for attempt in (lambda: carry_out(other, checksum), lambda: show(other), lambda: carry_out(job.change, "x")):
        with pytest.raises(UnfinishedChange, match=line):
            attempt()
    show(job.change)
    assert capsys.readouterr().out.splitlines()[1:] == ["3 files", *_way(checksum)]
    job.dies_at = 99
    assert carry_out(job.change, checksum) == "the receipt"
    assert left(job) == set()
    assert read_unfinished(output) is None
    with claimed(output):
        pass


def _way(checksum: str) -> list[str]:
    return [
        "nothing was changed; to do it, run this again with the same flags and --checksum CHECKSUM",
        f"checksum {checksum}",
    ]


@pytest.mark.parametrize("name", ["_claim.json", "_claim-acceptance.json"])
def test_beside_a_job_that_writes_it_is_refused(job: Job, name: str) -> None:
    checksum: Any = job.plan().checksum
    with claimed(Output(str(job.folder)), name), pytest.raises(OutputInUse, match="being written by process"):
        carry_out(job.change, checksum)
    assert len(list(job.folder.glob("*.txt"))) == 3


def test_what_a_killed_run_left_half_written_goes(job: Job) -> None:
    for folder in ("", "_writing", "_audit", "runs/manifests/output"):
        (job.folder / folder).mkdir(parents=True, exist_ok=True)
        (job.folder / folder / ".writing-0123-x.half").write_text("half")
    assert carry_out(job.change, job.plan().checksum) == "the receipt"
    assert not list(job.folder.rglob("*.half"))


def test_a_note_that_was_cut_off_is_finished_by_the_same_command(job: Job) -> None:
    """Its record may be written and not signed yet, so nobody else writes the output."""

    def dies(_: Removal) -> None:
        raise KeyboardInterrupt

    carry_out(job.change, job.plan().checksum)
    nothing, output = job.plan().checksum, Output(str(job.folder))
    with pytest.raises(KeyboardInterrupt):
        carry_out(replace(job.change, otherwise=dies), nothing)
    with pytest.raises(UnfinishedChange, match=f"--checksum {nothing}"), claimed(output):
        pass
    assert carry_out(job.change, nothing) == "the receipt"
    with claimed(output):
        pass
