"""The parts of `pipelines.expire`: what is past its retention, and how it is deleted."""
