"""A run that ends early takes its job on the cluster with it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pipelines.runners.flink_rest import cancel_flink_job
from schemas.errors import RunnerUnavailable


@contextmanager
def ended_with_this_run(options: Any, result: Any) -> Iterator[None]:
    """Where the block fails or is interrupted, Flink's job is cancelled; what made the block fail is raised.

    Without `--flink_rest` the job goes on, and its workers stop before they write: the claim is no more theirs.
    """
    try:
        yield
    except BaseException:
        if options.flink_rest is not None:
            with suppress(RunnerUnavailable):  # the failure itself is told
                cancel_flink_job(options.flink_rest, result)
        raise
