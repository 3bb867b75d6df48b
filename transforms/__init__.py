"""Beam steps: a module is one step; thought lives in `transforms.core`."""
