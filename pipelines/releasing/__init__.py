"""The parts of `pipelines.metrics` that make figures which may leave the team: bounded, noised, published once."""
