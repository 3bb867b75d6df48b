"""The last step: files of a portion, memory for the next one, and elements that nobody changes on the way."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import PipelineError, StorageUnavailable
from tests.support.after_shuffle import contents, run, sealed
from tests.support.facts import NOON, fact
from transforms.core.batches import Tally
from transforms.core.curating import publish
from transforms.core.curating.curate import CuratedBucket
from transforms.core.output.layout import Output
from transforms.core.output.stream_state import StreamState
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.windows import Portion, Window, of_window

STREAM = "0123456789abcdef"
NOON_S = int(NOON.timestamp())
FACTS = [
    fact("displays", 1, 0, completion_chars=4),
    fact("displays", 1, 1),
    fact("outcomes", 2, 5, outcome="accepted", completion_type="full"),
    fact("outcomes", 3, 90_000, outcome="rejected"),
    fact("requests", 4, 90_001, suggestion_id=None),
]
INPUTS: list[Callable[[str], Portion]] = [
    lambda name: Portion(name * 16, 0),
    lambda name: of_window(Window(STREAM, NOON_S + 100_000 * (name == "b"), NOON_S + 100_000 * (1 + (name == "b"))), 0),
]


@pytest.mark.parametrize("portion_of", INPUTS, ids=["batch", "window"])
def test_no_element_is_changed_once_it_was_given_on(tmp_path: Path, portion_of: Callable[[str], Portion]) -> None:
    """Beam forbids it: a runner may give an element to another step, or to the same one again."""
    counts = Tally()
    counts.add(20_541, "withheld", "off", 3)
    told = counts.batch()
    assert told is not None
    watched = run(tmp_path, [(portion_of("a"), sealed(FACTS[:3], 1, told)[0])])
    watched += run(tmp_path, [(portion_of("b"), sealed(FACTS[3:])[0])])
    assert len(watched) == 4
    assert [any(name == "suggestions" for name, _ in curated.tables) for curated, _ in watched] == [
        False,
        False,
        False,
        True,
    ]
    for curated, before in watched:
        assert contents(curated) == before
    for (curated, _), (joined, _) in zip(watched[::2], watched[1::2], strict=True):
        shared = [day for day, books in curated.counts.items() if joined.counts[day] is books]
        assert not shared, "the counts that Join adds to are its own"


def digests(folder: Path) -> dict[str, str]:
    files = sorted(folder.glob("*/*/*.parquet"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_bundle_that_failed_halfway_and_is_tried_again_leaves_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try must not find the first one's half of the memory, nor its files as somebody else's."""
    grouped = [(Portion("0a" * 8, 0), sealed(FACTS)[0])]
    run(tmp_path / "undisturbed", grouped)
    real, calls = publish.storage.write_atomic, list[str]()

    def fails_once(path: str, *more: Any) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise StorageUnavailable("the disk is full")
        real(path, *more)

    monkeypatch.setattr(publish.storage, "write_atomic", fails_once)
    with pytest.raises(Exception, match="the disk is full"):
        run(tmp_path / "out", grouped)
    assert not list((tmp_path / "out").glob("ledger/*/*"))
    run(tmp_path / "out", grouped)
    assert digests(tmp_path / "out") == digests(tmp_path / "undisturbed")


def test_files_that_an_earlier_run_left_on_other_days_are_removed(tmp_path: Path) -> None:
    portion, other = Portion("0a" * 8, 0), Portion("0b" * 8, 0)
    run(tmp_path, [(portion, sealed(FACTS)[0])])
    run(tmp_path, [(other, sealed([fact("requests", 8, 0)])[0])])
    days = sorted({p.parent.name for p in tmp_path.glob(f"*/*/{portion.input}-*.parquet")})
    assert len(days) == 2
    days_left = {(portion.input, 0): publish.days_left_by(Output(str(tmp_path)), portion.input, 1)[portion.input, 0]}
    run(tmp_path, [(portion, sealed(FACTS[3:])[0])], earlier_days=days_left)
    assert {p.parent.name for p in tmp_path.glob(f"*/*/{portion.input}-*.parquet")} == {days[1]}
    assert len(list(tmp_path.glob(f"*/*/{other.input}-*.parquet"))) == 2


def test_a_window_that_was_whole_already_stays_as_it_is(tmp_path: Path) -> None:
    """A runner that goes back to a checkpoint may bring a window of a folder with other files in it."""
    window = Window(STREAM, NOON_S, NOON_S + 100)
    run(tmp_path, [(of_window(window, 0), sealed(FACTS[:2])[0])])
    StreamState(Output(str(tmp_path)), STREAM, window.end_s).save()
    before = digests(tmp_path)
    run(tmp_path, [(of_window(window, 0), sealed([fact("displays", 7, 3)])[0])])
    assert digests(tmp_path) == before
    StreamState(Output(str(tmp_path)), STREAM, window.begin_s).save()
    run(tmp_path, [(of_window(window, 0), sealed([fact("displays", 7, 3)])[0])])
    assert digests(tmp_path) != before


def test_a_loan_ends_when_the_files_are_written_and_no_bucket_is_lent_after_it(tmp_path: Path) -> None:
    portion = of_window(Window(STREAM, NOON_S, NOON_S + 100), 0)
    watched: list[tuple[CuratedBucket, Any]] = run(tmp_path, [(portion, sealed(FACTS[:2])[0])])
    with pytest.raises(PipelineError, match="another try"):
        BucketMemory.of(Output(str(tmp_path))).lent(portion, watched[0][0].loan)
