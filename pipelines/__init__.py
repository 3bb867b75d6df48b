"""What runs: a module is a job, started with `python -m pipelines.<name>`."""

import logging

# Beam's own import warns about an optional Google client on every start; nothing here uses it.
logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())
