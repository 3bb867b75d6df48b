"""For which days a batch input left files, written down before the first of them is.

`_inputs/<input digest>/<received_date>` is an empty file. Without it a run would have to look for its own files in
every day that an output holds: with 400 days and 10 datasets 4,000 folders, three times.
"""

from collections.abc import Iterable
from datetime import date

from transforms.core import storage
from transforms.core.output.layout import INPUTS_FOLDER, Output


class InputDays:
    """Notes days; each once, whatever comes twice."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._noted: set[tuple[str, date]] = set()

    def note(self, digest: str, days: Iterable[date]) -> None:
        """To be called before a file of one of these days is written; raises StorageUnavailable."""
        for day in days:
            if (digest, day) not in self._noted:
                self._output.write(self._output.beside(INPUTS_FOLDER, digest, day.isoformat()), b"")
                self._noted.add((digest, day))


def days_of_input(output: Output, digest: str | None) -> list[date] | None:
    """The days for which an input may have left files, sorted.

    None where that is not known, and every day has to be looked at: of all inputs, and of one that an older version
    of this program has read.
    """
    if digest is None:
        return None
    return sorted(map(date.fromisoformat, storage.list_files(output.beside(INPUTS_FOLDER, digest)))) or None
