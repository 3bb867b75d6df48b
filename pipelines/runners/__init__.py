"""Runners: which are known to be right, with which settings, and what their workers must be able to reach."""
