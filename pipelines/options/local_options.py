"""Flags of a job that runs its pipeline on this machine alone, where the parts of the batch job ask for Beam's own."""

import argparse
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options.submission import keep_to_the_steps


class LocalOptions(argparse.Namespace):
    """The parsed flags as attributes, and Beam's options as nobody has changed them: its own runner of one machine."""

    given_flags: frozenset[str] = frozenset()
    """None of Beam's."""

    def __init__(self, flags: argparse.Namespace) -> None:
        super().__init__(**vars(flags))
        self._beam = PipelineOptions([])
        keep_to_the_steps(self._beam)

    def view_as(self, kind: Any) -> Any:
        """Beam's options of a kind."""
        return self._beam.view_as(kind)

    def for_runner(self) -> PipelineOptions:
        """All of Beam's options."""
        return self._beam
