"""Where sealed pieces wait between reading and writing, while a job runs on one machine."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

from pipelines.workers.choice import is_of_one_machine
from transforms.core import storage
from transforms.core.output.layout import SPILL_FOLDER, Output
from transforms.core.storage.scratch import scratch_folder


def add_spill_folder(add: Any) -> None:
    """Adds the flag by an argparse parser's `add_argument`."""
    add("--spill_folder", metavar="DIR",
        help="Local folder in which sealed rows wait between reading and writing: about 90 bytes an event, and its "
        "code compressed. Default: within a local --output, else the folder of temporary files.")  # fmt: skip


@contextmanager
def spilling(options: Any) -> Iterator[str]:
    """The folder while the block runs; empty where not all workers see one disk. Only who holds the output may ask.

    Beside the datasets, where they lie on this machine: there must be room for them, too. Else, or where
    `--spill_folder` is given, below that or the machine's folder of temporary files, under a name that is the output's
    alone. Raises StorageUnavailable.
    """
    if not is_of_one_machine(options):
        yield ""
        return
    with scratch_folder(_folder(options.output, options.spill_folder)) as folder:
        yield folder


def _folder(output: Output, given: str | None) -> str:
    if given is None and storage.is_local(output.path):
        return storage.local_path(output.beside(SPILL_FOLDER))
    name = blake2b(os.fsencode(storage.absolute(output.path)), digest_size=8).hexdigest()
    return os.path.join(os.path.abspath(given or tempfile.gettempdir()), f"suggestion-telemetry-{name}{SPILL_FOLDER}")
