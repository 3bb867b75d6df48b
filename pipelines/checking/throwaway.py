"""Keys of a run that writes nothing: made in memory, for every month, and gone with the process."""

from transforms.core.keys import keyring
from transforms.core.keys.seal import generate_secret
from transforms.core.keys.step_keys import StepKeys, step_keys_of

_YEARS = range(2000, 2100)
"""The years of receive times that the jobs take for right."""


def throwaway_keys() -> StepKeys:
    """Keys under which nothing is quarantined for its month; no role can read what they seal."""
    ring, _ = keyring.create()
    ring.epochs = {f"{year}-{month:02d}": generate_secret() for year in _YEARS for month in range(1, 13)}
    return step_keys_of(ring)
