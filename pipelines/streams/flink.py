"""Ends a job on Flink, which Beam's own cancel does not (2.77, Flink 1.19)."""

import json
import urllib.request
from http.client import HTTPException
from typing import Any

from schemas.errors import RunnerUnavailable

_TIMEOUT_S = 30.0


def cancel_flink_job(rest: str, result: Any) -> None:
    """Cancels the Flink job of a Beam result by Flink's REST interface; raises RunnerUnavailable."""
    beam_id = result.job_id() if callable(getattr(result, "job_id", None)) else result._job_id
    try:
        for job in _asked("GET", f"{rest}/jobs/overview")["jobs"]:
            if job["state"] in ("RUNNING", "CREATED", "RESTARTING") and beam_id.startswith(job["name"]):
                _asked("PATCH", f"{rest}/jobs/{job['jid']}?mode=cancel")
    except (OSError, HTTPException, ValueError, KeyError) as cause:  # a cluster that is going hangs up
        raise RunnerUnavailable(f"--flink_rest {rest}: {type(cause).__name__}; the job there may go on") from None


def _asked(method: str, url: str) -> Any:
    request = urllib.request.Request(url, method=method)  # noqa: S310 - the operator's own address
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
        return json.loads(answer.read() or b"{}")
