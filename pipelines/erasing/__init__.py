"""The parts of `pipelines.erase` and `pipelines.withdraw`: what people no longer permit goes out of landed files."""
