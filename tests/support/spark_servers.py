"""Beam's job service with Spark in it, as a process of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.brokers import TOOLS
from tests.support.servers import free_port

SPARK_JARS = TOOLS / "spark"
needs_spark = pytest.mark.skipif(
    not SPARK_JARS.exists(), reason="Spark is not there: make tools (needs Java and Maven)"
)
_OPENED = (
    "lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "util.concurrent.atomic",
)  # fmt: skip
OPENS = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED]
OPENS += [f"--add-opens=java.base/sun.{name}=ALL-UNNAMED" for name in ("nio.ch", "nio.cs", "security.action")]


@contextmanager
def spark_job_service(folder: Path) -> Iterator[int]:
    """Gives its port."""
    port, log = free_port(), folder / "spark.log"
    command = [
        "java", "-Xmx1g", *OPENS, "-Dspark.ui.enabled=false", "-Dspark.driver.bindAddress=127.0.0.1",
        "-Dspark.driver.host=127.0.0.1", f"-Dspark.local.dir={folder}", "-cp", f"{SPARK_JARS}/*",
        "org.apache.beam.runners.spark.SparkJobServerDriver", "--spark-master-url", "local[2,4]", "--job-host", "localhost",
        "--job-port", str(port), "--artifact-port", str(free_port()), "--expansion-port", "0", "--artifacts-dir",
        str(folder / "artifacts"),
    ]  # fmt: skip
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        until = time.monotonic() + 90
        while time.monotonic() < until and server.poll() is None:
            with suppress(OSError), socket.create_connection(("localhost", port), 1):
                break
            time.sleep(0.2)
        else:
            raise RuntimeError(log.read_text()[-2000:])
        yield port
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
