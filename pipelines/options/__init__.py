"""Flags of the jobs: read, checked, refused in one line."""
