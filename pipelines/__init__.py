"""What runs: a module is a job, started with `python -m pipelines.<name>`; its parts stand in rooms of their own.

`ingest` is the way of an event that the batch job and the endless one share.
"""

import logging
import os
import sys

from pipelines.running.interrupts import meet_interrupts

COMMAND = "suggestion-telemetry"

if sys.argv[:1] == ["-m"] or os.path.basename(sys.argv[0]) == COMMAND:  # a job's modules are not yet imported
    meet_interrupts()
    # Beam's own import warns about an optional Google client on every start; nothing here uses it.
    logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
