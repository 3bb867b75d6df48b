"""The parts of `pipelines.compact`: which days are closed, what is put together, and how it takes its place."""
