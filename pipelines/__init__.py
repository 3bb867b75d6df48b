"""What runs: a module is a job, started with `python -m pipelines.<name>`."""

import logging
import sys

from pipelines.interrupts import meet_interrupts

# Beam's own import warns about an optional Google client on every start; nothing here uses it.
logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())

if sys.argv[:1] == ["-m"]:  # a job is being started: its modules are not yet imported
    meet_interrupts()
