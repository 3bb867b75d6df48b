"""What withholds an event: its level, and for code the account's consent."""

import pytest

from schemas.registry import EXTENSION_EVENTS, PERMITTED
from transforms.core.consent import Collector
from transforms.core.decoding.withholding import withheld_by


@pytest.mark.parametrize(
    ("dataset", "level", "consent", "withheld"),
    [
        ("displays", "all", None, None), ("displays", "error", True, "error"), ("displays", "crash", True, "crash"),
        ("errors", "error", None, None), ("errors", "crash", None, "crash"),
        ("snippets", "all", True, None), ("snippets", "all", False, "snippet"), ("snippets", "error", True, "error"),
        (EXTENSION_EVENTS, "all", None, None), (EXTENSION_EVENTS, "error", True, "error"),
    ],
)  # fmt: skip
def test_an_event_needs_the_level_of_its_dataset(
    dataset: str, level: str, consent: bool | None, withheld: str | None
) -> None:
    stamp = Collector(telemetry_level=level, snippet_consent=consent)
    assert withheld_by(dataset, PERMITTED[level], stamp) == withheld
