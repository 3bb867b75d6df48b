"""The parts of `pipelines.streaming`: where it begins, its two processes, its runners, what watches it."""
