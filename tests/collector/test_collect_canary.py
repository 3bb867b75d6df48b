"""Marked secrets in everything that a client sends: none in a log, an error, a metric or a file's name."""

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.jobs.test_canary import SECRETS, leaks
from tests.support.collectors import ZERO_KEY, event, keys_file, new_ids, stored
from tests.support.servers import free_port

PEER = "127.77.66.55"
KEY = "ca11ab1e-0000-4000-8000-5ec2e7000001"
SCRIPT = """
import sys
from pipelines import collect
from pipelines.collector import connections, intake, rolling_folder
from pipelines.running.command import run_job

real_sort, real_commit = intake.sort_events, rolling_folder.RollingFolder.commit

def sort_events(body, keys):
    if b"raise-a-bug" in body:
        raise ValueError(f"cannot sort {body!r}")
    return real_sort(body, keys)

def commit(self, records):
    if any(b"raise-in-the-sink" in r.body for r in records):
        raise ValueError(f"cannot store {records!r}")
    return real_commit(self, records)

async def readiness(self, request):
    raise ValueError(f"cannot look at {request.url}")

real_received = connections.BoundedConnection.data_received

def received(self, data):
    if b"raise-below" in data:
        raise ValueError(f"cannot read {data!r} of {self.client}")
    real_received(self, data)

connections.BoundedConnection.data_received = received
intake.Intake._readiness = readiness
intake.sort_events = sort_events
rolling_folder.RollingFolder.commit = commit
run_job(collect.main)
"""


def bodies() -> list[tuple[bytes, dict[str, str], int]]:
    """Bodies, headers and the status that is due."""
    document = event(new_ids(1)[0])
    document["tags"]["ai.user.id"] = SECRETS["user"]
    document["data"]["baseData"]["properties"] |= SECRETS
    good = json.dumps(document).encode()
    unknown = json.dumps({**document, "iKey": KEY}).encode()
    return [
        (good, {}, 200),
        (gzip.compress(good), {"Content-Encoding": "gzip"}, 200),
        (unknown, {}, 400),
        (good + b"\n" + unknown + b"\n" + good[:-20], {}, 206),
        (good[:-20], {}, 400),
        (good, {"Content-Encoding": SECRETS["token"]}, 415),
        (good, {"Content-Type": SECRETS["email"]}, 415),
        (good, {"Content-Encoding": "gzip"}, 400),
        (good.replace(b"{", b'{"raise-a-bug":1,', 1), {}, 500),
        (good.replace(b"{", b'{"raise-in-the-sink":1,', 1), {}, 503),
        (good * 2000, {}, 413),
    ]


def ask(port: int, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, source_address=(PEER, 0), timeout=30)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, str(answer.headers).encode() + answer.read()
    connection.close()
    return found


def hang_up(port: int, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), source_address=(PEER, 0)) as raw:
        raw.sendall(start)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closes with a reset
        time.sleep(0.1)


def test_no_secret_in_logs_metrics_answers_or_names(tmp_path: Path) -> None:
    metrics_port = free_port()
    flags = [f"--to={tmp_path}/to", f"--ingestion_keys={keys_file(tmp_path)}", "--listen=127.0.0.1:0"]
    flags += [f"--metrics_port={metrics_port}", "--trusted_proxies=127.0.0.1", "--max_request_kb=512"]
    command = [sys.executable, "-X", "dev", "-c", SCRIPT, *flags]
    environment = {**os.environ, "PYTHONASYNCIODEBUG": "1", "TMPDIR": str(tmp_path)}
    with (tmp_path / "shown.txt").open("wb") as shown:
        process = subprocess.Popen(command, stdout=shown, stderr=shown, env=environment)
    until = time.monotonic() + 60
    while "listening on" not in (tmp_path / "shown.txt").read_text() and time.monotonic() < until:
        time.sleep(0.1)
    text = (tmp_path / "shown.txt").read_text()
    port = int(text.partition("listening on http://127.0.0.1:")[2].split()[0])

    statuses = []
    for path in ("/v2.1/track", f"/OneCollector/1.0?apikey={KEY}&x={SECRETS['email']}"):
        for body, headers, due in bodies():
            status, answer = ask(port, path, body, {"X-Forwarded-For": SECRETS["address"], **headers})
            assert status == (200 if due == 206 and "One" in path else due)
            assert not leaks(answer)
            statuses.append(status)
    ask(port, f"/{SECRETS['path']}/{SECRETS['machine']}", b"{}", {})
    assert ask(port, f"/readyz?{SECRETS['email']}", b"", {}, "GET")[0] == 500
    hang_up(port, f"raise-below {SECRETS['user']}".encode())
    for start in (
        b"\x16\x03\x01\x02\x00\x01" + SECRETS["token"].encode(),
        f"POST /v2/track?{SECRETS['user']} HTTP/1.1\r\nX: {SECRETS['email']}\r\nContent-Length: 99\r\n\r\n{SECRETS['code']}".encode(),
        f"{SECRETS['machine']} / HTTP/1.1\r\n\r\n".encode(),
        f"POST /v2/track HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{SECRETS['code']}".encode(),
    ):
        hang_up(port, start)
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
        shown_by_metrics = answer.read()
    process.terminate()
    assert process.wait(60) == 0

    log = (tmp_path / "shown.txt").read_bytes()
    for shown_text in (log, shown_by_metrics, "\n".join(os.listdir(tmp_path / "to")).encode()):
        assert not leaks(shown_text)
        assert PEER.encode() not in shown_text
        assert KEY.encode() not in shown_text
        assert ZERO_KEY.encode() not in shown_text
    assert log.count(b"a bug: ValueError at <string>:") == 2
    assert log.count(b"cannot store: ValueError in the collector") == 2
    assert b"in the server: ValueError" in log
    assert b"Traceback" not in log
    assert leaks(b"".join(r["body"] for r in stored(tmp_path / "to"))) >= {"code", "machine"}, "the canary was sent"
    assert {r["client_ip"] for r in stored(tmp_path / "to")} == {PEER}, "a proxy that is not trusted is not believed"
