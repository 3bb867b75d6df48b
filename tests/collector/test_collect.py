"""What the collector takes, refuses and answers: over HTTP, against the process itself."""

import gzip
import http.client
import json
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipelines import collect
from pipelines.collector import connections
from schemas.errors import InvalidOptions
from tests.support.collectors import (
    ERRORS_KEY,
    OFF_KEY,
    TENANT_KEY,
    Collector,
    body_of,
    collecting,
    event,
    keys_file,
    new_ids,
    stored,
)
from transforms.core.blocks import MAX_PAYLOAD_BYTES

LINES = "application/x-json-stream"


class Answer(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    folder = tmp_path_factory.mktemp("collect")
    flags = ("--roll_interval=1s", "--max_request_kb=256", "--trusted_proxies=127.0.0.0/8")
    with collecting(folder, folder / "to", *flags) as running:
        yield running


def ask(running: Collector, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    found = Answer(answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()})
    connection.close()
    return found


def records_with(running: Collector, marks: list[str]) -> list[dict[str, Any]]:
    """The stored records that hold one of the ids, once the file is rolled."""
    folder = Path(str(running.to))
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = []
        for record in stored(folder):
            plain = gzip.decompress(record["body"]) if record["body"][:2] == b"\x1f\x8b" else record["body"]
            if any(mark.encode() in plain for mark in marks):
                found.append({**record, "plain": plain})
        if all(any(mark.encode() in r["plain"] for r in found) for mark in marks):
            return found
        time.sleep(0.1)
    raise AssertionError(f"not stored within 10 s: {running.text}")


@pytest.mark.parametrize("path", ["/v2/track", "/v2.1/track"])
@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_body_is_stored_as_it_was_sent_and_answered_with_its_count(
    collector: Collector, path: str, form: str
) -> None:
    ids = new_ids(3)
    body = body_of(ids)
    if form == "array":
        body = b"[" + body.replace(b"\n", b",\n ") + b"]"
    answer = ask(collector, path, body, Content_Type=f"{LINES}; charset=utf-8")
    assert (answer.status, answer.json) == (200, {"itemsReceived": 3, "itemsAccepted": 3, "errors": []})
    (record,) = records_with(collector, ids)
    assert record["body"] == body
    assert (record["telemetry_level"], record["snippet_consent"]) == ("all", True)
    assert (record["content_type"], record["content_encoding"], record["client_ip"]) == (LINES, None, "127.0.0.1")


def test_one_collector_has_its_own_answer_and_never_a_206(collector: Collector) -> None:
    """1DS sends all of a body again after 206."""
    good = json.dumps(event(new_ids(1)[0], f"o:{TENANT_KEY[:32].upper()}")).encode()
    for path in ("/OneCollector/1.0", "/OneCollector/1.0/?cors=true&content-type=application/x-json-stream"):
        assert ask(collector, path, good)[:2] == (200, '{"acc":1}')
    assert ask(collector, path, good + b"\n" + body_of(["x"], "other"))[:2] == (200, '{"acc":1,"rej":1}')
    assert ask(collector, path, body_of(["x"], "other"))[:2] == (400, '{"acc":0,"rej":1}')


def test_events_of_several_keys_are_stored_each_under_what_its_own_stands_for(collector: Collector) -> None:
    all_id, error_id, off_id, unknown_id = new_ids(4)
    parts = [body_of([all_id]), body_of([error_id], ERRORS_KEY), body_of([off_id], OFF_KEY), body_of([unknown_id], "u")]
    answer = ask(collector, "/v2.1/track", b"\n".join([*parts, b"{cut"]), Content_Type=LINES)
    assert answer.status == 206
    assert answer.json == {
        "itemsReceived": 5,
        "itemsAccepted": 3,
        "errors": [
            {"index": 3, "statusCode": 400, "message": "Invalid instrumentation key"},
            {"index": 4, "statusCode": 400, "message": "Not a JSON object"},
        ],
    }
    found = records_with(collector, [all_id, error_id])
    assert {(r["telemetry_level"], r["snippet_consent"], r["plain"]) for r in found} == {
        ("all", True, parts[0]),
        ("error", False, parts[1]),
    }
    everything = b"".join(r["body"] for r in stored(Path(str(collector.to))))
    assert off_id.encode() not in everything
    assert unknown_id.encode() not in everything


def test_an_unknown_key_is_refused_and_counted(collector: Collector) -> None:
    before = collector.metric("collect_events_total")
    answer = ask(collector, "/v2/track", body_of(new_ids(2), "another"))
    assert (answer.status, answer.json["itemsAccepted"], len(answer.json["errors"])) == (400, 0, 2)
    assert collector.metric("collect_events_total") == before + 2
    assert 'collect_events_total{fate="unknown_key"}' in collector.metrics()


def zlib_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


COMPRESSED = {
    "gzip": (gzip.compress, "gzip"),
    "two members": (lambda b: gzip.compress(b[:50]) + gzip.compress(b[50:]), "gzip"),
    "no header": (gzip.compress, None),
    "deflate": (zlib.compress, "deflate"),
    "raw deflate": (zlib_raw, "deflate"),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed_bodies_land(collector: Collector, kind: str) -> None:
    pack, encoding = COMPRESSED[kind]
    ids = new_ids(2)
    headers = {"Content_Encoding": encoding} if encoding else {}
    assert ask(collector, "/v2.1/track", pack(body_of(ids)), **headers).status == 200
    (record,) = records_with(collector, ids)
    assert record["plain"] == body_of(ids)
    assert record["content_encoding"] == (encoding if encoding == "gzip" else None)


BOMB = gzip.compress(b" " * (MAX_PAYLOAD_BYTES + 1))
REFUSED = {
    "empty": (b"", {}, 400),
    "blank": (b" \n\n", {}, 400),
    "no gzip": (b"{}", {"Content_Encoding": "gzip"}, 400),
    "gzip cut": (gzip.compress(body_of(["x"]))[:-9], {"Content_Encoding": "gzip"}, 400),
    "no deflate": (b"{}", {"Content_Encoding": "deflate"}, 400),
    "array cut": (b'[{"iKey":"x"}', {}, 400),
    "a number": (b"7", {}, 400),
    "deep": (b'{"a":' * 200_000, {}, 413),
    "deep within the limit": (b'{"a":' * 50_000, {}, 400),
    "deep array": (b"[" * 50_000, {}, 400),
    "form": (b"a=1", {"Content_Type": "application/x-www-form-urlencoded"}, 415),
    "multipart": (b"a=1", {"Content_Type": "multipart/form-data; boundary=x"}, 415),
    "brotli": (b"x", {"Content_Encoding": "br"}, 415),
    "twice gzipped": (b"x", {"Content_Encoding": "gzip, gzip"}, 415),
    "too long": (b"x" * (256 * 1024 + 1), {}, 413),
    "inflates too far": (BOMB, {"Content_Encoding": "gzip"}, 413),
    "inflates too far without a header": (BOMB, {}, 413),
    "too many events": (b"1\n" * 20_001, {}, 413),
    "too many members": (gzip.compress(b"[" + b"1," * 8_000_000 + b"1]"), {}, 413),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_taken_is_refused_with_a_text(collector: Collector, kind: str) -> None:
    body, headers, status = REFUSED[kind]
    answer = ask(collector, "/v2.1/track", body, **headers)
    assert answer.status == status
    if answer.headers["content-type"].startswith("text/plain"):
        assert 5 < len(answer.text) < 150
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.text)  # `applicationinsights` drops a batch after JSON without errors
    assert collector.metric("collect_held_bytes") == 0


def test_a_body_in_chunks_is_bounded_too(collector: Collector) -> None:
    ids = new_ids(1)
    connection = http.client.HTTPConnection("127.0.0.1", collector.port)
    connection.request("POST", "/v2/track", iter([body_of(ids)[:100], body_of(ids)[100:]]), encode_chunked=True)
    assert connection.getresponse().read().startswith(b'{"itemsReceived":1')
    connection.request("POST", "/v2/track", iter([b"x" * 65_536] * 5), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_client_that_hangs_up_leaves_nothing_held(collector: Collector) -> None:
    before = collector.metric("collect_requests_total")
    with socket.create_connection(("127.0.0.1", collector.port)) as raw:
        raw.sendall(b"POST /v2/track HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        time.sleep(0.2)
    until = time.monotonic() + 10
    while collector.metric("collect_requests_total") == before and time.monotonic() < until:
        time.sleep(0.05)
    assert 'status="499"' in collector.metrics()
    assert collector.metric("collect_held_bytes") == 0


def test_an_endless_head_ends_the_connection(collector: Collector) -> None:
    with socket.create_connection(("127.0.0.1", collector.port), 30) as raw, pytest.raises(OSError):  # noqa: PT011
        raw.sendall(b"POST /v2/track HTTP/1.1\r\n")
        for n in range(100):
            raw.sendall(b"X-%d: " % n + b"y" * 10_000 + b"\r\n")
            time.sleep(0.01)
    assert ask(collector, "/healthz", method="GET").status == 200


def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 10 <= connections._HEAD_TIMEOUT_S <= 60
    script = (
        "import sys; from pipelines.collector import connections; connections._HEAD_TIMEOUT_S = 0.5\n"
        "from pipelines import collect; collect.main(sys.argv[1:])"
    )
    assert "connections._HEAD_TIMEOUT_S" in script  # the process below has a shorter one
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        flags = [f"--to={name}/to", f"--ingestion_keys={keys_file(Path(name))}", "--listen=127.0.0.1:0"]
        process = subprocess.Popen([sys.executable, "-c", script, *flags], stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            port = int(process.stderr.readline().rpartition(":")[2])
            for begun in (b"", b"POST /v2"):
                with socket.create_connection(("127.0.0.1", port), 10) as raw:
                    raw.sendall(begun)
                    assert raw.recv(100) == b""
        finally:
            process.terminate()
            process.wait(30)


def test_an_editor_in_a_browser_may_send(collector: Collector) -> None:
    asked = {
        "Origin": "https://vscode.dev",
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "apikey,cache-control,client-id,client-version,content-type,upload-time",
    }
    answer = ask(collector, "/OneCollector/1.0?cors=true", method="OPTIONS", **asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://vscode.dev"
    assert answer.headers["access-control-allow-credentials"] == "true"
    allowed = answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
    assert set(asked["Access_Control_Request_Headers"].split(",")) <= set(allowed)
    for body, status in ((body_of(new_ids(1)), 200), (b"", 400)):
        sent = ask(collector, "/OneCollector/1.0", body, Origin="https://vscode.dev", Content_Type="text/plain")
        assert (sent.status, sent.headers["access-control-allow-origin"]) == (status, "https://vscode.dev")


def test_health_and_what_is_not_there(collector: Collector) -> None:
    assert ask(collector, "/healthz", method="GET")[:2] == (200, "alive")
    assert ask(collector, "/readyz", method="GET")[:2] == (200, "ready")
    assert ask(collector, "/v2/track", method="GET").status == 405
    assert ask(collector, "/metrics", method="GET").status == 404
    assert ask(collector, "/", body_of(["x"])).status == 404


def test_metrics_are_open_metrics_of_few_series_on_loopback(collector: Collector) -> None:
    shown = collector.metrics()
    assert shown.endswith("# EOF\n")
    assert len(shown.splitlines()) < 200
    listening = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=False).stdout
    if listening:
        assert f"127.0.0.1:{collector.metrics_port} " in listening


def test_forwarded_for_lands_in_the_record(collector: Collector) -> None:
    ids = new_ids(1)
    assert ask(collector, "/v2/track", body_of(ids), X_Forwarded_For="6.6.6.6, 203.0.113.9").status == 200
    (record,) = records_with(collector, ids)
    assert record["client_ip"] == "203.0.113.9"


WRONG_FLAGS = {
    "--listen=8080": "--listen",
    "--listen=127.0.0.1:99999": "--listen",
    "--listen=203.0.113.1:8080": "--listen",
    "--to=kafka://nowhere": "--to",
    "--to=gs://bucket/folder": "--to",
    "--to=/proc/version": "--to",
    "--trusted_proxies=10.0.0.1/8": "--trusted_proxies",
    "--forwarded_header=via": "--forwarded_header",
    "--roll_interval=0s": "--roll_interval",
    "--roll_mb=0": "--roll_mb",
    "--tls_key=/nowhere": "--tls_certificate and --tls_key",
    "--kafka_config=/nowhere": "--kafka_config",
    "--max_held_mb=many": "--max_held_mb",
    "--no_such_flag=1": "--no_such_flag",
}


@pytest.mark.parametrize("flag", WRONG_FLAGS)
def test_a_wrong_flag_is_refused_in_one_line(tmp_path: Path, flag: str) -> None:
    flags = [f"--to={tmp_path}/to", f"--ingestion_keys={keys_file(tmp_path)}", "--listen=127.0.0.1:0"]
    with pytest.raises(InvalidOptions, match=WRONG_FLAGS[flag]) as refused:
        collect.main([*flags, flag])
    assert "\n" not in str(refused.value)


def test_a_folder_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to").chmod(0o777)
    flags = [f"--to={tmp_path}/to", f"--ingestion_keys={keys_file(tmp_path)}", "--listen=127.0.0.1:0"]
    with pytest.raises(InvalidOptions, match="anybody may write"):
        collect.main(flags)


def test_files_are_for_their_owner_alone(collector: Collector) -> None:
    ids = new_ids(1)
    ask(collector, "/v2/track", body_of(ids))
    records_with(collector, ids)
    folder = Path(str(collector.to))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_port_that_is_taken_is_told_in_one_line(collector: Collector, tmp_path: Path) -> None:
    flags = [f"--to={tmp_path}/to", f"--ingestion_keys={keys_file(tmp_path)}", f"--listen=127.0.0.1:{collector.port}"]
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.collect", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: --listen 127.0.0.1:")
    assert done.stderr.count("\n") == 1
