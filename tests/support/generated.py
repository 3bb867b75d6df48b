"""Days of the generator as inputs of tests."""

from pathlib import Path

import pytest

from pipelines import generate


def generated_raw(factory: pytest.TempPathFactory, events: int, seed: int, day: str = "2026-03-29") -> Path:
    """The folder of raw files of one day; the truth about them lies beside it."""
    folder = factory.mktemp("generated")
    generate.main([f"--output={folder}", f"--events={events}", f"--seed={seed}", f"--date={day}"])
    return folder / "raw"
