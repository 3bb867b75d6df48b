"""The parts of `pipelines.export`: what is known of one person, and the folder in which the person gets it."""
