"""The parts of `pipelines.check`: what would become of each event of an input, without writing anything."""
