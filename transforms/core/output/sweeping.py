"""What killed jobs left in an output and nobody reads: half-written files, sealed pieces. Its holder sweeps it away."""

import os

from transforms.core import storage
from transforms.core.audit.trail import AUDIT_FOLDER
from transforms.core.output.layout import RUNS, SPILL_FOLDER, WRITING_FOLDER, Output

_DEEP = (WRITING_FOLDER, RUNS, AUDIT_FOLDER)
"""With the folders below; in a dataset's are some only where they lie on another disk, and then a note says so."""


def sweep_output(output: Output) -> int:
    """Removes them; returns how many half-written files there were. To be called by who holds the output.

    Files that a living process writes, such as a line of the audit trail, stay. Raises StorageUnavailable.
    """
    spilled = output.beside(SPILL_FOLDER)
    if storage.is_local(spilled) and not os.path.islink(storage.local_path(spilled)):
        storage.remove_tree(spilled)
    swept = storage.sweep(output.path, deep=False)
    return swept + sum(storage.sweep(output.beside(folder)) for folder in _DEEP)
