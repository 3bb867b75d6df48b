"""A run as others see it: its record beside the datasets, log lines, figures for monitoring, lineage."""
