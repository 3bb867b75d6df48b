"""A holder's key file is declared lost: the ring remembers who says so, when, and of which months."""

from datetime import UTC, datetime

from pipelines.keeping.files import write_ring
from pipelines.keeping.months import spans
from pipelines.keeping.signing_key import signing_key_of
from schemas.errors import InvalidOptions
from transforms.core.keys import keyring
from transforms.core.keys.lost import Lost
from transforms.core.keys.ring import KeyRing
from transforms.core.keys.roles import OPERATORS, holder_of


def declare_lost(folder: str, role: str, reader: str, by: str) -> Lost:
    """Writes down that all keys which the ring knows of a reader are lost with her file; returns the declaration.

    What was declared before is not declared again, so the same command may be run again. Keys of months that are made
    later are not lost with it. Raises InvalidOptions where there is no such reader, or she has no monthly keys.
    """
    ring = keyring.load(folder)
    if role == OPERATORS:
        raise InvalidOptions("--role operators: their key is not monthly, and no month is destroyed with it")
    known = ring.readers[role].get(reader)
    if known is None:
        raise InvalidOptions(f"--reader {reader}: readers of {role} are {', '.join(ring.readers[role])}")
    holder = holder_of(role, reader)
    fresh = sorted(month for month in known.public_keys if ring.declared_lost(holder, month) is None)
    if not fresh:
        return _latest(ring, holder, reader)
    lost = Lost(holder, tuple(fresh), datetime.now(UTC).replace(microsecond=0), by).signed(signing_key_of(ring))
    ring.lost.append(lost)
    write_ring(folder, ring)
    return lost


def _latest(ring: KeyRing, holder: str, reader: str) -> Lost:
    found = [lost for lost in ring.lost if lost.holder == holder]
    if not found:
        raise InvalidOptions(f"--reader {reader}: the ring knows no key of hers")
    return found[-1]


def lost_described(ring: KeyRing) -> list[str]:
    """A line for each declaration, and for each month of which it leaves a doubt."""
    return [
        *(f"{lost.told}: {spans([*lost.months])}" for lost in ring.lost),
        *(not_proven_line(ring, month) for month in sorted(ring.not_proven)),
    ]


def not_proven_line(ring: KeyRing, month: str) -> str:
    """What is known of a month whose keys are gone as far as can be shown."""
    return (
        f"the keys of {month} are gone from the key ring and from each key file that was shown; not proven to be "
        f"destroyed: {'; '.join(lost.told for lost in ring.doubts(month))}"
    )
