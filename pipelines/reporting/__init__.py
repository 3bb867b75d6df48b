"""The parts of `pipelines.report`: its figures, its charts, its page."""
