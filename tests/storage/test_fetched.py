"""What lies in an object store is fetched once a process, by whichever thread comes first."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from transforms.core.storage.fetched import fetched_once, forget_fetched


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    forget_fetched()
    yield
    forget_fetched()


def test_threads_that_ask_at_once_fetch_once() -> None:
    begin, fetched = threading.Barrier(8), []

    def ask(_: int) -> object:
        begin.wait()
        return fetched_once("ring", "gs://a", lambda url: fetched.append(url) or object())

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(ask, range(8))))) == 1
    assert fetched == ["gs://a"]


def test_each_url_and_each_kind_is_its_own() -> None:
    kept = [fetched_once(kind, url, lambda u: [u]) for kind in ("ring", "geo") for url in ("gs://a", "gs://b")]
    assert len(set(map(id, kept))) == 4


def test_a_failure_is_not_kept_and_the_next_run_fetches_anew() -> None:
    answers = iter([OSError(), "one", "two"])

    def fetch(_: str) -> str:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        fetched_once("ring", "gs://a", fetch)
    assert fetched_once("ring", "gs://a", fetch) == fetched_once("ring", "gs://a", fetch) == "one"
    forget_fetched()
    assert fetched_once("ring", "gs://a", fetch) == "two"
