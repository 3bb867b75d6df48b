"""What holds keys stays in its process and shows nothing, in whatever it stands."""

import copy
import pickle
from dataclasses import dataclass

import pytest

from transforms.core.keys.in_process import InProcess


@dataclass(frozen=True, repr=False)
class Holder(InProcess):
    key: bytes = b"SECRET-KEY"


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy, lambda held: pickle.dumps([{"x": held}])])
def test_it_is_never_written_down_or_copied(write: object) -> None:
    with pytest.raises(TypeError, match="keys are opened in setup and never pickled"):
        write(Holder())  # type: ignore[operator]


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda held: f"{[held]!r}"])
def test_it_shows_nothing(show: object) -> None:
    assert "SECRET" not in show(Holder())  # type: ignore[operator]
    assert "Holder()" in show(Holder())  # type: ignore[operator]
