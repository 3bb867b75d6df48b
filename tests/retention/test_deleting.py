"""A day goes with one rename, what a killed run moved aside goes too, and a receipt is written once."""

import os
from datetime import date
from pathlib import Path

import pytest

from pipelines.retention.deleting import finish
from pipelines.retention.plan import Expiry
from transforms.core.output.expired import Expired, read_expired
from transforms.core.output.layout import Output
from transforms.core.output.unfinished import Unfinished, begun

DAY = date(2026, 3, 29)
PATHS = [f"errors/received_date={DAY}/{name}-0000of0001.parquet" for name in "ab"]


@pytest.fixture
def output(tmp_path: Path) -> Output:
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    return Output(str(tmp_path))


def pending() -> Unfinished:
    return begun("expire", "c0ffee", [], Expiry(DAY, PATHS, {}, Expired(through={"errors": DAY})))


def test_a_reader_sees_all_files_of_a_day_or_none(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    real = {name: getattr(os, name) for name in ("unlink", "remove", "rmdir", "replace")}
    for name, do in real.items():

        def watched(*args: object, do: object = do, **flags: object) -> None:
            seen.add(len(list(Path(output.path).glob("errors/**/*.parquet"))))
            do(*args, **flags)  # type: ignore[operator]
            seen.add(len(list(Path(output.path).glob("errors/**/*.parquet"))))

        monkeypatch.setattr(os, name, watched)
    finish(output, pending())
    assert seen == {0, 2}


def test_what_is_gone_already_is_no_matter_and_the_end_is_the_same(output: Output) -> None:
    os.remove(output.beside(PATHS[0]))
    aside = Path(output.beside("_writing", "expired-days"))
    aside.mkdir(parents=True)
    (aside / "c-0000of0001.parquet").write_bytes(b"moved by a run that was killed")
    receipt = Path(finish(output, pending()))
    content = receipt.read_bytes()
    assert not list(Path(output.path).rglob("*.parquet"))
    assert not aside.exists()
    assert read_expired(output) == Expired(through={"errors": DAY})
    assert Path(finish(output, pending())).read_bytes() == content


def test_a_strangers_file_keeps_the_folder(output: Output) -> None:
    stranger = Path(output.beside(PATHS[0])).with_name("notes.txt")
    stranger.write_text("x")
    finish(output, pending())
    assert [p.name for p in Path(output.path, "errors").rglob("*") if p.is_file()] == ["notes.txt"]
