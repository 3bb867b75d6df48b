"""The files of a claim: the claim itself, and the heartbeat of its holder beside it."""

import json
import re
import time
from typing import Any

from schemas.errors import OutputInUse, StorageUnavailable
from transforms.core import storage
from transforms.core.output.layout import CLAIM_FILE, Output

_WRITTEN_S = 0.2
"""How long a claim may be there and still empty."""


class ClaimFile:
    """Where the claim of a name lies in an output, and what it says."""

    def __init__(self, output: Output, name: str = CLAIM_FILE) -> None:
        self.path = output.beside(name)
        self._folder = output.path
        self._beside = re.compile(rf"{re.escape(name)}\.([0-9a-z]+)\.(over|beat)")

    def beside(self) -> list[str]:
        """Beats of holders, and claims of those who are taking this one over, that lie there."""
        names = storage.list_sizes(self._folder)
        return [storage.join(self._folder, name) for name in names if self._beside.fullmatch(name)]

    def read(self) -> dict[str, Any] | None:
        """What the claim says, None where there is none; raises OutputInUse where it cannot be understood."""
        return self.read_path(self.path)

    def read_path(self, path: str) -> dict[str, Any] | None:
        """The same for a claim of another path, as that of who is taking this one over."""
        data = _content(path)
        if data == b"":  # made, and not yet written
            time.sleep(_WRITTEN_S)
            data = _content(path)
        if data is None:
            return None
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise OutputInUse(f"{path} is damaged, so its holder is not known; if no run writes, remove it")
        return found

    def beat_path(self, token: str) -> str:
        """Where the holder of this token writes its beats."""
        return f"{self.path}.{token}.beat"

    def heartbeat(self, found: dict[str, Any]) -> bytes | None:
        """The last beat of a claim's holder; None where it has none."""
        return _content(self.beat_path(token_of(found)))


def token_of(found: dict[str, Any]) -> str:
    """What names the holder's heartbeat; empty where it has none, as in older versions."""
    token = found.get("token")
    return token if isinstance(token, str) and token.isalnum() else ""


def token_of_path(path: str) -> str:
    """The token in the path of a beat, or of a claim that is being taken over."""
    return path.rsplit(".", 2)[-2]


def beat_s_of(found: dict[str, Any]) -> float:
    """How often the holder beats; 0 where the claim does not say."""
    told_s = found.get("beat_s")
    return float(told_s) if isinstance(told_s, int | float) else 0.0


def _content(path: str) -> bytes | None:
    """A small file's bytes; None where it is not there."""
    try:
        return storage.read_bytes(path)
    except StorageUnavailable:
        if storage.exists(path):
            raise
        return None
