"""The endless job as a process, and what can be asked of its output while it runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipelines.streams.prism_binary import find_prism
from schemas.errors import InvalidOptions
from tests.conftest import KEY_RING
from tests.support.brokers import KAFKA_JARS, PRISM
from transforms.core.output import stream_state
from transforms.core.output.layout import Output
from transforms.core.reading.open_log import stream_digest

needs_prism = pytest.mark.skipif(not PRISM.exists(), reason="Prism is not there: make tools (needs Go)")
needs_kafka = pytest.mark.skipif(
    not KAFKA_JARS.exists(), reason="Kafka is not there: make tools (needs Java and Maven)"
)


def found_prism() -> str:
    """Prism's binary; without one the test is left out."""
    try:
        return find_prism(None)
    except InvalidOptions:
        pytest.skip("Prism is not there: make tools (needs Go)")


class StreamJob:
    """`python -m pipelines.streaming` on an input and output; its log in a file beside the output."""

    def __init__(
        self,
        uri: str,
        output: Path,
        *more: str,
        env: dict[str, str] | None = None,
        own_session: bool = False,
        through: Sequence[str] = (),
    ) -> None:
        """`through`: a command that becomes the one behind it."""
        self.uri, self.output = uri, output
        self.log = output.with_name(f"{output.name}.log")
        self._starts_before = self.text.count("going on from") if self.log.exists() else 0
        defaults = {"--publish_interval": "2s", "--buckets": "4", "--allowed_lateness": "0s", "--key_ring": KEY_RING}
        flags = [f"{name}={value}" for name, value in defaults.items() if not any(m.startswith(name) for m in more)]
        if not any(m.startswith("--runner") for m in more):
            flags.append(f"--prism_location={PRISM}")
        command = [sys.executable, "-W", "ignore", "-m", "pipelines.streaming", f"--input={uri}", f"--output={output}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*through, *command, *flags, *more], stdout=log, stderr=log, env={**os.environ, **(env or {})},
                start_new_session=own_session,
            )  # fmt: skip

    @property
    def state(self) -> stream_state.StreamState | None:
        return stream_state.load(Output(str(self.output)), stream_digest(self.uri))

    @property
    def taken(self) -> int:
        """Messages in whole windows; of a folder, bytes."""
        return sum(self.state.positions.values()) if self.state else 0

    def check_alive(self) -> None:
        if self.process.poll() is not None:
            raise AssertionError(f"the job ended with {self.process.returncode}: {self.text[-3000:]}")

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 90) -> None:
        until = time.monotonic() + timeout_s
        while not condition():
            self.check_alive()
            if time.monotonic() > until:
                raise AssertionError(f"not within {timeout_s} s; taken {self.taken}: {self.text[-3000:]}")
            time.sleep(0.1)

    def wait_taken(self, messages: int, timeout_s: float = 90) -> None:
        self.wait_for(lambda: self.taken >= messages, timeout_s)

    @property
    def reader(self) -> int:
        """The process that reads, a child of the job's."""
        return next(pid for pid in children(self.process.pid) if "pipelines.streams.reader" in command(pid))

    def stop(self) -> int:
        """Ends it gracefully, once it listens to signals; the exit code."""
        self.wait_for(lambda: self.text.count("going on from") > self._starts_before)
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        return self.log.read_text()


def children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children()]


def command(pid: int) -> str:
    """A process's command line; empty where it is gone or is just being made."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


@contextmanager
def streaming(
    uri: str, output: Path, *more: str, env: dict[str, str] | None = None, through: Sequence[str] = ()
) -> Iterator[StreamJob]:
    job = StreamJob(uri, output, *more, env=env, through=through)
    try:
        yield job
    finally:
        if job.process.poll() is None:
            job.kill()
