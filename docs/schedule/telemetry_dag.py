"""The batch job once a day under Airflow 3, for the day that is over; what each exit code means stands in schedule.md.

The environment of Airflow's workers says where things are: TELEMETRY_PYTHON, TELEMETRY_INPUT, TELEMETRY_OUTPUT,
TELEMETRY_KEY_RING, and TELEMETRY_RETRY_S, the seconds between two tries.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

NOTHING_TO_DO, TRY_AGAIN = 4, 75

COMMAND = (
    '"${TELEMETRY_PYTHON:-/opt/telemetry/.venv/bin/python}" -m pipelines.batch'
    ' --input "${TELEMETRY_INPUT:-/srv/telemetry/raw/{received_date\\}/*}"'
    " --received_date {{ data_interval_start | ds }}"
    ' --output "${TELEMETRY_OUTPUT:-/srv/telemetry/datasets}"'
    ' --key_ring "${TELEMETRY_KEY_RING:-/etc/telemetry/keys}"'
    " --log_format json"
)


class BatchRun(BashOperator):
    """Runs a job: no file is `skipped`, what may go through later is tried again, everything else fails at once."""

    def execute(self, context: Any) -> Any:
        """Runs the command; raises AirflowFailException where trying again would not help."""
        try:
            return super().execute(context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            code = self.subprocess_hook.sub_process.returncode
            if code == TRY_AGAIN or not 0 < code < 128:  # or it was killed by a signal
                raise
            raise AirflowFailException(str(error)) from None


with DAG(
    "telemetry_batch",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # an output has one writer at a time
    default_args={"retries": 3, "retry_delay": timedelta(seconds=float(os.environ.get("TELEMETRY_RETRY_S", "600")))},
):
    BatchRun(task_id="batch", bash_command=COMMAND, skip_on_exit_code=NOTHING_TO_DO)
