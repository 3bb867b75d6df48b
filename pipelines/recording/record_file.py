"""The run's record as a file in the output, from when the run holds it."""

from pipelines.recording.listener import Listener
from pipelines.recording.record import Record
from transforms.core import storage
from transforms.core.output.layout import OUTPUT_FILE, Output


class RecordFile(Listener):
    """Writes the record when the run begins to write, and again at its end.

    A run that was refused before leaves its record only where the output is there already: nothing is made for it.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._is_held = False

    def held(self, record: Record) -> None:
        """Writes it as `running`."""
        record.save(self._output)
        self._is_held = True

    def ended(self, record: Record) -> None:
        """Writes it as it is."""
        if self._is_held or storage.exists(self._output.beside(OUTPUT_FILE)):
            record.save(self._output)
