"""A job that was stopped writes no more: what its workers were at is finished, what comes after is refused."""

import threading
from pathlib import Path

import pytest

from schemas.errors import OutputInUse
from transforms.core.output.layout import Output
from transforms.core.output.publishing import publishing_of


def test_the_end_waits_for_what_is_being_written(tmp_path: Path) -> None:
    output, writes, goes_on, told = Output(str(tmp_path), "run"), threading.Event(), threading.Event(), []

    def worker() -> None:
        with publishing_of(output).one():
            writes.set()
            assert goes_on.wait(30)
            told.append("written")

    def ended() -> None:
        publishing_of(output).end()
        told.append("ended")

    threads = [threading.Thread(target=worker)]
    threads[0].start()
    assert writes.wait(30)
    threads.append(threading.Thread(target=ended))
    threads[1].start()
    threads[1].join(0.2)
    assert told == []
    goes_on.set()
    for thread in threads:
        thread.join(30)
    assert told == ["written", "ended"]


def test_nothing_is_written_after_the_end_and_another_run_does_not_mind(tmp_path: Path) -> None:
    publishing_of(Output(str(tmp_path), "first")).end()
    with pytest.raises(OutputInUse, match="is over"), publishing_of(Output(str(tmp_path), "first")).one():
        raise AssertionError("it went on")
    with publishing_of(Output(str(tmp_path), "second")).one():
        pass


def test_a_write_that_failed_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), publishing_of(Output(str(tmp_path))).one():
        raise OSError("full")
    publishing_of(Output(str(tmp_path))).end()
