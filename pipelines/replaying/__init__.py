"""The parts of `pipelines.replay`: which payloads are chosen, what would become of them, and what is written down."""
