"""The process that reads for an endless job on this machine: all steps up to the sealed pieces run here.

`pipelines.streams.two_processes` starts it, beside the process that publishes. Raw
payloads come into it from the source and leave it sealed.
"""

import logging
import os
import sys
import threading
import time

from apache_beam.runners.worker.sdk_worker import SHORT_ID_CACHE, SdkHarness

from pipelines.running.children import end_with_stdin
from pipelines.running.memory import tune_memory
from transforms.core.guard import FAILURES

_LOOK_S = 0.1
_FIRST_METRIC = 1 << 20
"""Beam numbers a process's metrics from 1 on, and Prism (2.77) takes a number for the same metric whichever worker
it comes from: two workers of a job failed its first bundle."""


def main() -> None:
    """Waits for a line on stdin, the runner's address and the worker's name there; works until a step fails.

    What failed is then a line on stdout, its class and its text, and the exit code 1. The end of stdin is that of the
    job, and ends this process, too.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # failures are told in that one line
    SHORT_ID_CACHE._last_short_id = _FIRST_METRIC
    tune_memory()
    control, _, worker_id = sys.stdin.readline().rstrip("\n").partition("\t")
    end_with_stdin()
    harness = SdkHarness(control, worker_id=worker_id, state_cache_size=0, data_buffer_time_limit_ms=0)
    threading.Thread(target=harness.run, daemon=True).start()
    while not FAILURES:
        time.sleep(_LOOK_S)
    print(f"{type(FAILURES[0]).__name__}: {FAILURES[0]}", flush=True)
    os._exit(1)


if __name__ == "__main__":
    main()
