"""The parts of `pipelines.metrics`: datasets as tables, counts and rates over them."""
