"""The run's record as a file in the output, from when the run holds it."""

from collections.abc import Callable

from pipelines.recording.listener import Listener
from pipelines.recording.record import Record
from schemas.errors import PipelineError
from transforms.core import storage
from transforms.core.keys.open_ring import open_signer
from transforms.core.output.layout import OUTPUT_FILE, Output


class RecordFile(Listener):
    """Writes the record when the run begins to write, and again at its end.

    A run that was refused before leaves its record only where the output is there already: nothing is made for it.
    """

    def __init__(self, output: Output, key_ring: str | None = None) -> None:
        self._output = output
        self._key_ring = key_ring
        self._is_held = False

    def held(self, record: Record) -> None:
        """Writes it as `running`."""
        record.save(self._output, self._sign())
        self._is_held = True

    def ended(self, record: Record) -> None:
        """Writes it as it is."""
        if self._is_held or storage.exists(self._output.beside(OUTPUT_FILE)):
            record.save(self._output, self._sign())

    def _sign(self) -> Callable[[bytes], bytes] | None:
        """None where there is no ring that signs: a run may be refused for its ring, and its record tells that."""
        try:
            signer = open_signer(self._key_ring) if self._key_ring else None
        except PipelineError:
            return None
        return signer.sign if signer else None
