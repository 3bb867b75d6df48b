"""Questions to a Flink cluster by its REST interface, and the end of a job there, which Beam's own cancel does not
bring about (2.77, Flink 1.19).
"""

import json
import urllib.request
from http.client import HTTPException
from typing import Any, NamedTuple

from schemas.errors import InvalidOptions, RunnerUnavailable

_TIMEOUT_S = 30.0
_SPREAD = "cluster.evenly-spread-out-slots"
_GOES_ON = ("RUNNING", "CREATED", "RESTARTING", "INITIALIZING", "FAILING")


class Slots(NamedTuple):
    """What a cluster has to give: all its slots, the most of one task manager, and whether it spreads a job evenly."""

    total: int
    most_of_one: int
    task_managers: int
    is_spread: bool


def slots_of(rest: str) -> Slots:
    """What the cluster has now; raises RunnerUnavailable where it does not answer, or has no task manager."""
    try:
        managers = [m["slotsNumber"] for m in _asked("GET", f"{rest}/taskmanagers")["taskmanagers"]]
        settings = {entry["key"]: entry["value"] for entry in _asked("GET", f"{rest}/jobmanager/config")}
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as cause:
        raise RunnerUnavailable(
            f"--flink_rest {rest}: {type(cause).__name__}; allowed is Flink's REST address"
        ) from None
    if not sum(managers):
        raise RunnerUnavailable(f"--flink_rest {rest}: the cluster has no task manager with slots")
    return Slots(sum(managers), max(managers), len(managers), settings.get(_SPREAD) == "true")


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
