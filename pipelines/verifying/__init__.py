"""The parts of `pipelines.verify` and `pipelines.sign`: what must lie in an output, what lies there, what differs."""
