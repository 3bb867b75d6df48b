"""The real clients: against the collector, and against each answer that docs/send-events.md tells of."""

import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.collector.test_collect_durable import fill
from tests.conftest import read_rows, run_batch
from tests.docs.test_send_events import section
from tests.support.collectors import Collector, collecting, stored, stored_ids
from tests.support.npm_clients import modules, needs_node, on_answer, send_with
from tests.support.secured_brokers import certificate
from tests.support.servers import small_disk

pytestmark = [needs_node, pytest.mark.xdist_group("clients")]

SAFE = ("applicationinsights-disk", "extension-1ds-fetch")
"""Clients that send again what was not taken."""

COLUMNS = ("applicationinsights", "applicationinsights-disk", "extension-appinsights", "extension-1ds")
SUCCESS = '{"itemsReceived":3,"itemsAccepted":3,"errors":[]}'
PARTLY = (
    '{"itemsReceived":3,"itemsAccepted":1,"errors":[{"index":0,"statusCode":429,"message":"x"},'
    '{"index":1,"statusCode":400,"message":"x"}]}'
)
BODIES = {
    "with a body": SUCCESS,
    "without a body": "",
    "with errors of 429, 400": PARTLY,
    "with JSON without `errors`": '{"error":"x"}',
    "with a text": "send it again later",
    "": "send it again later",
}
WORDS = {"not again": [1, 1, 1], "all again": [2, 2, 2], "the one of 429 again": [2, 1, 1], "waits for ever": [1, 1, 1]}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return modules(tmp_path_factory.mktemp("npm"))


def told() -> list[tuple[str, int, str, str]]:
    """Client, status, body and what the page says of it, of each cell of its last table."""
    found = []
    for answer, *cells in rows_of_last_table():
        statuses = [int(number) for number in re.findall(r"\b[2-5]\d\d\b", answer.partition("with errors")[0])]
        (text,) = {answer[m.end() :].strip() for m in [list(re.finditer(r"^[\d, or]+", answer))[-1]]}
        for status in statuses:
            found += [(client, status, text, cell) for client, cell in zip(COLUMNS, cells, strict=True)]
    return found


def rows_of_last_table() -> list[list[str]]:
    rows = section("What is answered, and what clients do with it")
    return rows[[len(row) for row in rows].index(5) + 2 :]


def test_each_client_does_on_each_answer_what_the_page_says(installed: Path) -> None:
    cells = told()
    assert len(cells) == 4 * 19

    def tried(cell: tuple[str, int, str, str]) -> Any:
        client, status, text, word = cell
        answer = {"status": status, "body": BODIES[text], "always": word == "waits for ever"}
        return on_answer(installed, client, answer)

    with ThreadPoolExecutor(4) as pool:
        for cell, seen in zip(cells, pool.map(tried, cells), strict=True):
            assert seen["first"] == WORDS[cell[3]], (cell, seen)
            assert (seen["later"] == 0) == (cell[3] == "waits for ever"), (cell, seen)


@pytest.mark.parametrize(
    "client", ["applicationinsights", "extension-appinsights", "extension-1ds", "extension-1ds-fetch"]
)
def test_what_a_client_sends_is_in_the_datasets(tmp_path: Path, installed: Path, client: str) -> None:
    with collecting(tmp_path, tmp_path / "to") as running:
        ids = send_with(installed, client, running.url, 20)
        assert running.metric("collect_events_total") == 20
    assert sorted(stored_ids_of(tmp_path / "to")) == sorted(ids)
    books = run_batch(tmp_path / "to", tmp_path / "out", "--close_open_suggestions")
    assert (books.events, books.landed) == (20, 20)
    rows = read_rows(tmp_path / "out", "displays")
    assert len(rows) == 20
    assert {(row["language"], row["completion_chars"], row["editor_version"]) for row in rows} == {
        ("python", 65, "1.114.0")
    }
    assert len({row["installation_id"] for row in rows}) == 1
    assert len(read_rows(tmp_path / "out", "suggestions")) == 20


def stored_ids_of(folder: Path) -> list[str]:
    """Ids wherever an envelope has them."""
    from transforms.core.decoding.bodies import decompressed

    text = b"\n".join(decompressed(record["body"])[0] for record in stored(folder)).decode()
    return re.findall(r'"unique_id":"([^"]+)"', text)


def test_events_of_an_unknown_key_are_refused_one_by_one(tmp_path: Path, installed: Path) -> None:
    with collecting(tmp_path, tmp_path / "to") as running:
        ids = send_with(installed, "applicationinsights-disk", running.url, 12, 0, "unknown")
        assert 'status="206"' in running.metrics()
        assert running.metric("collect_requests_total") == 1, "nothing of it is sent again"
    assert sorted(stored_ids(tmp_path / "to")) == sorted(one for one in ids if not one.startswith("unknown-"))


@pytest.mark.parametrize("client", SAFE)
def test_a_full_disk_loses_no_event(tmp_path: Path, installed: Path, client: str) -> None:
    with (
        small_disk(tmp_path / "disk", "4m") as disk,
        collecting(tmp_path, disk / "to", "--roll_interval=1s") as running,
    ):
        fill(disk / "filler")

        def free_it() -> None:
            until = time.monotonic() + 20
            while running.metric("collect_failed_records_total") < 2 and time.monotonic() < until:
                time.sleep(0.05)
            (disk / "filler").unlink()

        freeing = threading.Thread(target=free_it)
        freeing.start()
        ids = send_with(installed, client, running.url, 30, 100, CLIENT_LINGER_MS="6000")
        freeing.join()
        assert 'status="503"' in running.metrics()
        assert running.stop() == 0
        assert set(stored_ids_of(disk / "to")) == set(ids)


@pytest.mark.parametrize("client", SAFE)
def test_a_kill_loses_no_event(tmp_path: Path, installed: Path, client: str) -> None:
    (tmp_path / "client").mkdir()
    first = Collector(tmp_path, tmp_path / "to")
    ids: list[str] = []
    hurry = "3" if client.startswith("extension-1ds") else "20"  # 1DS gives an event up after six tries
    environment = {"CLIENT_LINGER_MS": "12000", "TMPDIR": str(tmp_path / "client"), "CLIENT_HURRY": hurry}
    sending = threading.Thread(
        target=lambda: ids.extend(send_with(installed, client, first.url, 80, 150, **environment))
    )
    sending.start()
    until = time.monotonic() + 20
    while first.metric("collect_requests_total") < 2 and time.monotonic() < until:
        time.sleep(0.02)
    first.stop(signal.SIGKILL)
    second = Collector(tmp_path, tmp_path / "to", port=first.port)
    sending.join()
    assert "of a process that was killed are handed on" in second.text
    assert second.stop() == 0
    assert len(ids) == 80
    kept = "".join(path.read_text() for path in (tmp_path / "client").rglob("*.ai.json"))  # it would send them yet
    missing = {one for one in ids if one not in kept} - set(stored_ids_of(tmp_path / "to"))
    assert not missing


def test_a_connection_that_breaks_is_an_error_that_the_reporter_does_not_catch(installed: Path) -> None:
    broken = {"status": 0, "body": ""}
    with pytest.raises(AssertionError, match="ECONNRESET"):
        on_answer(installed, "extension-1ds", broken)
    for client in SAFE:
        assert on_answer(installed, client, broken)["first"] == [2, 2, 2]


@pytest.mark.parametrize("client", ["extension-appinsights", "extension-1ds"])
def test_the_reporters_own_transport_over_tls(tmp_path: Path, installed: Path, client: str) -> None:
    held, trusted = certificate(tmp_path)
    flags = (f"--tls_certificate={held}", f"--tls_key={held}")
    with collecting(tmp_path, tmp_path / "to", *flags) as running:
        url = running.url.replace("http:", "https:")
        ids = send_with(installed, client, url, 5, NODE_EXTRA_CA_CERTS=str(trusted))
    assert sorted(stored_ids_of(tmp_path / "to")) == sorted(ids)
