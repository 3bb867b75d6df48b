"""An input that has landed, and whose month was destroyed since: run again, nothing could land in place of its rows."""

from schemas.errors import InvalidOptions
from schemas.registry import EVENT_DATASETS, EXTENSION_EVENTS, SUGGESTIONS
from transforms.core.keys import keyring
from transforms.core.output.input_days import days_of_input
from transforms.core.output.input_list import list_before, troubles
from transforms.core.output.layout import Output
from transforms.core.output.ledger import read_marks

_MADE_WITH_KEYS = (*EVENT_DATASETS, EXTENSION_EVENTS, SUGGESTIONS)


def check_landed_months(output: Output, key_ring: str, digest: str) -> None:
    """Raises InvalidOptions where files of the input lie in days of a month whose keys are gone from the ring.

    To be called while the output is held. Rows of an input that is not whole may go: they were never told as landed.
    """
    gone = keyring.load(key_ring).gone
    days = [day for day in days_of_input(output, digest) or () if f"{day:%Y-%m}" in gone]
    files = output.listing().files(*_MADE_WITH_KEYS, days=days, of_input=digest)
    months = sorted({f"{file.day:%Y-%m}" for file in files})
    listed = list_before(output, digest) if months else None
    if listed is not None and not troubles(output, listed, read_marks(output, digest)):
        raise InvalidOptions(
            f"--input: it has landed, and the keys of {', '.join(months)} were destroyed since; run again, nothing "
            "could land in the place of its rows of then. Nothing was changed"
        )
