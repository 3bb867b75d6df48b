"""Where Prism comes from: what is there, else Beam's release, fetched once."""

import http.server
import os
import shutil
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_beam.runners.portability import prism_runner

from pipelines.streams import prism_binary
from pipelines.streams.prism import prism
from pipelines.streams.prism_binary import find_prism
from schemas.errors import InvalidOptions
from tests.support.brokers import PRISM
from tests.support.stream_jobs import needs_prism

WAYS = ("on the PATH", "--prism_location", "Beam's release page", "go install github.com/", "make tools")


class Releases:
    """A server that stands for Beam's release page, and what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        releases = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                releases.asked.append(self.path)
                super().do_GET()

            def log_message(self, *_: object) -> None:
                pass

        folder.mkdir()
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(folder))
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def release(self, data: bytes | None = None) -> None:
        """Offers the real binary, zipped as Beam does it; or these bytes in its place."""
        name = f"apache_beam-v{prism_binary.beam_version}-prism-linux-amd64"
        place = self.folder / f"v{prism_binary.beam_version}" / f"{name}.zip"
        place.parent.mkdir(exist_ok=True)
        if data is not None:
            place.write_bytes(data)
            return
        with zipfile.ZipFile(place, "w") as archive:
            archive.write(PRISM, name)


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    """On a machine with nothing on its PATH, and a cache of its own."""
    found = Releases(tmp_path / "releases")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(prism_runner.platform, "system", lambda: "Linux")
    monkeypatch.setattr(prism_runner.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(prism_runner, "GITHUB_DOWNLOAD_PREFIX", f"http://127.0.0.1:{found.server.server_port}/")
    monkeypatch.setattr(prism_runner.PrismJobServer, "BIN_CACHE", str(tmp_path / "cache"))
    yield found
    found.server.shutdown()
    found.server.server_close()


@needs_prism
def test_it_is_fetched_once_told_and_runs(releases: Releases, capsys: pytest.CaptureFixture[str]) -> None:
    releases.release()
    binary = find_prism(None)
    told = capsys.readouterr().err
    assert told.startswith("fetching Prism once, from http://127.0.0.1")
    assert told.count("\n") == 1
    assert Path(binary).read_bytes() == PRISM.read_bytes()
    os.environ["PATH"] = "/usr/bin:/bin"
    with prism(binary) as endpoint:
        socket.create_connection(("localhost", int(endpoint.rpartition(":")[2])), 5).close()
    assert find_prism(None) == binary
    assert len(releases.asked) == 1
    assert not capsys.readouterr().err
    assert [path.name for path in Path(binary).parent.iterdir()] == [Path(binary).name]


@needs_prism
def test_a_download_that_broke_leaves_nothing_and_the_next_one_works(releases: Releases) -> None:
    releases.release()
    (place,) = releases.folder.glob("*/*.zip")
    whole = place.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"<html>log in to this network</html>"):
        releases.release(broken)
        with pytest.raises(InvalidOptions, match="could not be fetched"):
            find_prism(None)
        assert not list(Path(prism_runner.PrismJobServer.BIN_CACHE).iterdir())
    releases.release(whole)
    assert Path(find_prism(None)).stat().st_size == PRISM.stat().st_size


def test_what_is_not_released_is_one_line_with_every_way(releases: Releases) -> None:
    with pytest.raises(InvalidOptions) as refused:
        find_prism(None)
    assert "(File not found)" in str(refused.value)
    assert all(way in str(refused.value) for way in WAYS)
    assert "\n" not in str(refused.value)


def test_a_machine_that_beam_builds_nothing_for(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prism_runner.platform, "machine", lambda: "riscv64")
    with pytest.raises(InvalidOptions, match="no release for Linux on riscv64") as refused:
        find_prism(None)
    assert all(way in str(refused.value) for way in WAYS)


def test_a_network_that_answers_nothing_is_not_waited_for(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setattr(prism_binary, "_SILENT_S", 0.5)
        monkeypatch.setattr(prism_runner, "GITHUB_DOWNLOAD_PREFIX", f"http://127.0.0.1:{mute.getsockname()[1]}/")
        with pytest.raises(InvalidOptions, match="could not be fetched"):
            find_prism(None)
    assert socket.getdefaulttimeout() is None


def test_what_is_there_is_taken_before_anything_is_fetched(releases: Releases, tmp_path: Path) -> None:
    binary = tmp_path / "prism"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    assert find_prism(None) == str(binary)
    assert find_prism(str(binary)) == str(binary)
    assert not releases.asked


def test_a_location_that_is_none_is_refused(tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path / "prism")
    (tmp_path / "prism").chmod(0o644)
    for place in (tmp_path, tmp_path / "prism", tmp_path / "missing"):
        with pytest.raises(InvalidOptions, match="--prism_location"):
            find_prism(str(place))
