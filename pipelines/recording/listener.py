"""What is told about a run, and to whom."""

from pipelines.recording.record import Record, Stage


class Listener:
    """Is told what a run has done, in this order; each part may raise PipelineError, which then ends the run."""

    def began(self, record: Record) -> None:
        """The flags are read; nothing was looked at yet."""

    def held(self, record: Record) -> None:
        """All is checked, and the output is this run's."""

    def did(self, stage: Stage) -> None:
        """A stage is over."""

    def ended(self, record: Record) -> None:
        """The run is over, however it ended; its record is complete."""
