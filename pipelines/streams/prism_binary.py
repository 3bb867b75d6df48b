"""Where Prism's binary is: named, on the PATH, made by `make tools`, or fetched once from Beam's release."""

import os
import platform
import shutil
import socket
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.prism_runner import PrismJobServer
from apache_beam.version import __version__ as beam_version

from schemas.errors import InvalidOptions

_PLACES = (".tools/bin/prism",)
_SILENT_S = 30.0
"""A network that answers nothing for so long is none; Beam's download would wait for ever."""


def find_prism(location: str | None) -> str:
    """The path of the binary. What is fetched is of the Beam that runs here, and stays in Beam's own cache.

    Raises InvalidOptions, with every way to get one, where there is none and none can be fetched.
    """
    if location is not None:
        if os.access(location, os.X_OK) and os.path.isfile(location):
            return location
        raise InvalidOptions(f"--prism_location {location}: allowed is the path of Prism's binary")
    for found in (shutil.which("prism"), *_PLACES):
        if found and Path(found).is_file():
            return str(Path(found).absolute())
    return _fetched()


def _fetched() -> str:
    try:
        url = PrismJobServer(PipelineOptions([])).path_to_binary()
    except ValueError:
        raise _not_there(f"no release for {platform.system()} on {platform.machine()}") from None
    cached = Path(PrismJobServer.BIN_CACHE) / Path(url).stem
    if not cached.is_file():
        print(f"fetching Prism once, from {url}", file=sys.stderr, flush=True)
        try:
            _fetch(url, cached)
        except (OSError, RuntimeError, zipfile.BadZipFile, KeyError) as cause:
            told = getattr(cause.__context__, "reason", None) or type(cause).__name__
            raise _not_there(f"{url} could not be fetched ({told})") from None
    return str(cached)


def _fetch(url: str, cached: Path) -> None:
    """By Beam, into a folder of this process: what a run that was killed left half is no binary for the next one."""
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".fetching-") as own, _impatient():
        binary = PrismJobServer.local_bin(url, bin_cache=own)
        if Path(binary).name != cached.name:  # Beam takes what is no ZIP file for the binary itself
            raise zipfile.BadZipFile
        os.replace(binary, cached)


@contextmanager
def _impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _not_there(why: str) -> InvalidOptions:
    return InvalidOptions(
        f"Prism, the runner of endless jobs, is not there, and {why}. Ways to get it: put a binary named prism on the "
        "PATH, or name one with --prism_location: from Beam's release page on another machine (unzip it, chmod +x), or "
        f"with Go: go install github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam_version}; in a checkout, make tools"
    )
