"""An erasure opens bodies of quarantine, and code of others that lies in the same files: the audit trail says so."""

from collections.abc import Iterable, Sequence
from datetime import date

from pipelines.erasing.code_keys import SNIPPETS
from pipelines.erasing.plan import Touched
from pipelines.erasing.told import Told
from pipelines.options.audit_flags import trail_of
from pipelines.people.quarantined import bodies_of
from schemas.registry import load
from transforms.core.audit.reading import Reading
from transforms.core.audit.trail import append
from transforms.core.batches import QUARANTINE
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.role_encryption import columns_by_role
from transforms.core.keys.roles import OPERATORS


def tell_of_quarantine(told: Told) -> None:
    """To be called before bodies are opened; raises StorageUnavailable where the line cannot be written."""
    if (keys := told.private.get(OPERATORS)) is not None:
        days, rows = bodies_of(told.output.listing())
        _tell(told, keys, QUARANTINE, days, rows)


def tell_of_code(told: Told, files: Iterable[Touched]) -> None:
    """To be called before files with code are written anew; raises as `tell_of_quarantine`."""
    with_code = [file for file in files if file.dataset == SNIPPETS and file.rows_after]
    for role in sorted(columns_by_role(load(SNIPPETS))) if with_code else ():
        if (keys := told.private.get(role)) is not None:
            days = sorted({file.day for file in with_code})
            _tell(told, keys, SNIPPETS, days, sum(file.rows_before for file in with_code))


def _tell(told: Told, keys: PrivateKeys, dataset: str, days: Sequence[date], rows: int) -> None:
    purpose = told.purpose or f"{told.job} people"
    reading = Reading(keys.reader, keys.role, told.job, dataset, tuple(days), rows, purpose)
    append(trail_of(told.output, told.audit_log), reading)
