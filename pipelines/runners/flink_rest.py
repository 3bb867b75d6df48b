"""Questions to a Flink cluster by its REST interface, and the end of a job there, which Beam's own cancel does not
bring about (2.77, Flink 1.19).
"""

import json
import urllib.request
from http.client import HTTPException
from typing import Any, NamedTuple

from schemas.errors import InvalidOptions, RunnerUnavailable

_TIMEOUT_S = 30.0
_NO_RESTARTS = ("none", "off", "disable")
_GOES_ON = ("RUNNING", "CREATED", "RESTARTING", "INITIALIZING", "FAILING")


class Cluster(NamedTuple):
    """What a cluster has to give, and which of its settings matter to a job."""

    slots: int
    most_slots_of_one: int
    task_managers: int
    is_spread: bool
    """Whether a job that takes some of the slots has them on all task managers."""
    restarts: bool
    """Whether a batch job of which a worker dies is tried again."""


def cluster_of(rest: str) -> Cluster:
    """The cluster as it is now; raises RunnerUnavailable where it does not answer, or has no task manager."""
    try:
        managers = [m["slotsNumber"] for m in _asked("GET", f"{rest}/taskmanagers")["taskmanagers"]]
        settings = {entry["key"]: entry["value"] for entry in _asked("GET", f"{rest}/jobmanager/config")}
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as cause:
        raise RunnerUnavailable(
            f"--flink_rest {rest}: {type(cause).__name__}; allowed is Flink's REST address"
        ) from None
    if not sum(managers):
        raise RunnerUnavailable(f"--flink_rest {rest}: the cluster has no task manager with slots")
    strategy = settings.get("restart-strategy.type", settings.get("restart-strategy", "none"))
    is_spread = settings.get("cluster.evenly-spread-out-slots") == "true"
    return Cluster(sum(managers), max(managers), len(managers), is_spread, strategy not in _NO_RESTARTS)


def check_rest(rest: str) -> None:
    """Raises InvalidOptions where it is no address: Python would take a path of a file for one, too."""
    if not rest.startswith(("http://", "https://")):
        raise InvalidOptions(f"--flink_rest {rest}: allowed is an address as in http://localhost:8081")


def cancel_flink_job(rest: str, result: Any) -> None:
    """Cancels the Flink job of a Beam result; raises RunnerUnavailable."""
    beam_id = result.job_id() if callable(getattr(result, "job_id", None)) else result._job_id
    try:
        for job in _asked("GET", f"{rest}/jobs/overview")["jobs"]:
            if job["state"] in _GOES_ON and beam_id.startswith(job["name"]):
                _asked("PATCH", f"{rest}/jobs/{job['jid']}?mode=cancel")
    except (OSError, HTTPException, ValueError, KeyError) as cause:  # a cluster that is going hangs up
        raise RunnerUnavailable(f"--flink_rest {rest}: {type(cause).__name__}; the job there may go on") from None


def _asked(method: str, url: str) -> Any:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - an http address: check_rest
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
        return json.loads(answer.read() or b"{}")
