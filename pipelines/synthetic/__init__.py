"""The parts of `pipelines.generate`: people, their suggestions, what clients send of them, and the truth."""
