"""The parts of `pipelines.keys`: key files, months made ahead, readers, and how a month's keys are destroyed."""
