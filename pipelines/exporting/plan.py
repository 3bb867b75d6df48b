"""What is known of one person in an output: which rows of which files, and which bodies of quarantine."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import blake2b

from pipelines.people.finding import FoundRows, find_people
from pipelines.people.known_as import KnownAs
from pipelines.people.people_file import Person
from pipelines.people.quarantined import find_payloads
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.step_keys import PseudonymKeys
from transforms.core.output.layout import Output


@dataclass(frozen=True)
class ExportPlan:
    """Rows by file, by dataset, day and name, quarantine last. `roles` are those whose code is in it."""

    output: str
    files: tuple[FoundRows, ...]
    roles: tuple[str, ...]

    @cached_property
    def checksum(self) -> str:
        """32 hex digits, of which files and rows it is."""
        text = [f"{self.output} {' '.join(self.roles)}"]
        text += [
            f"{found.file.dataset} {found.file.day} {found.file.name} {found.rows.tolist()}" for found in self.files
        ]
        return blake2b("\n".join(text).encode(), digest_size=16).hexdigest()

    @property
    def datasets(self) -> Iterator[tuple[str, list[FoundRows]]]:
        """The files by dataset."""
        for dataset, found in itertools.groupby(self.files, key=lambda found: found.file.dataset):
            yield dataset, list(found)

    @property
    def told(self) -> list[str]:
        """Lines for people: counts, and nothing of the person."""
        lines = ["what there is of the person:"]
        for dataset, found in self.datasets:
            lines.append(f"  {dataset}: {rows_of(found):,} rows of {len(days_of(found)):,} days")
        if not self.files:
            lines.append("  nothing")
        lines.append(f"code is in it for the roles: {', '.join(self.roles) or 'none'}")
        return lines


def rows_of(found: Sequence[FoundRows]) -> int:
    """How many rows of these files it is."""
    return sum(len(each.rows) for each in found)


def days_of(found: Sequence[FoundRows]) -> tuple[date, ...]:
    """The days of these files, each once, sorted."""
    return tuple(sorted({each.file.day for each in found}))


def plan_of(
    output: Output, person: Person, keys: PseudonymKeys, operator: PrivateKeys, roles: Sequence[str]
) -> ExportPlan:
    """Looks through all days, and opens every body of quarantine.

    Raises KeyUnavailable where the operator's key does not open one, StorageUnavailable.
    """
    listing = output.listing()
    rows = find_people(listing, KnownAs([person], keys)).files
    payloads = find_payloads(listing, [person], operator).files
    return ExportPlan(output.path, (*rows, *payloads), tuple(sorted(roles)))
