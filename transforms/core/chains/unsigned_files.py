"""Files that lie in an output and that no manifest vouches for yet, because their run was cut off or goes on.

A change of landed files may alter such a file, and signs nothing of it: what it holds nobody has said before.
"""

from collections.abc import Mapping

from transforms.core import storage
from transforms.core.output.layout import UNSIGNED_FOLDER, Output, parse_name
from transforms.core.output.stream_state import streams_of
from transforms.core.shuffle.windows import window_end_s


class UnsignedFiles:
    """Tells them by their names. `streams` says up to which second since 1970 windows of each stream are signed."""

    def __init__(self, output: Output, streams: Mapping[str, int]) -> None:
        names = storage.list_files(output.beside(UNSIGNED_FOLDER))
        self._inputs = {name.partition(".")[0] for name in names}
        self._signed_to_s = {**dict.fromkeys(streams_of(output), -1), **streams}

    def __contains__(self, path: object) -> bool:
        name = parse_name(str(path).rpartition("/")[2])
        if name is None:
            return False
        stream, dot, _ = name.input.partition(".")
        if not dot:
            return name.input in self._inputs
        end_s = window_end_s(name.input, stream)
        return end_s is not None and stream in self._signed_to_s and end_s > self._signed_to_s[stream]
