"""The books of an output: events that came in against those whose fate is known, rows that are told against rows there.

What a manifest vouches for is believed to hold what the manifest says. Where there is none, each file is looked at with
care, as anybody may have put it there.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from transforms.core.chains.run_manifest import PutFile
from transforms.core.output.careful import Harmful, footer_rows, ledger_mark
from transforms.core.output.continuity import breaks
from transforms.core.output.input_list import unread_of_all
from transforms.core.output.layout import LEDGER, DataFile, Output
from transforms.core.output.ledger import Mark, differences, imbalances, strangers
from transforms.core.output.schema_file import schema_problems

_NOT_OURS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What comes of ledger rows and lists of inputs whose values are of other kinds than ours."""


@dataclass
class BooksFound:
    """The ledger's rows that can be read, and a line for each place where something does not balance."""

    marks: list[Mark] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def signed_books(output: Output, files: dict[str, PutFile], sound: Collection[str]) -> BooksFound:
    """Of an output whose manifests vouch for these files, of which those in `sound` are as they must be."""
    found = BooksFound()

    def rows_of(file: DataFile) -> int | None:
        told = files.get(file.place)
        return told.rows if told is not None else None

    of_ledger = [file for file in output.listing().files(LEDGER) if file.place in sound]
    found.marks = [*_read(of_ledger, found.problems)]
    found.problems += _checked(output, found.marks, rows_of)
    return found


def unsigned_books(output: Output) -> BooksFound:
    """Of an output of which nothing is signed."""
    found, harmful = BooksFound(), list[str]()

    def rows_of(file: DataFile) -> int | None:
        try:
            return footer_rows(file.path)
        except Harmful as wrong:
            harmful.append(f"{file.place}: {wrong}")
            return None

    found.marks = [*_read(output.listing().files(LEDGER), harmful)]
    try:
        found.problems += [*_checked(output, found.marks, rows_of), *strangers(output)]
    except _NOT_OURS as wrong:
        found.problems.append(f"the books cannot be compared: a file tells what no job writes ({type(wrong).__name__})")
    found.problems += harmful
    return found


def _checked(output: Output, marks: list[Mark], rows_of: Callable[[DataFile], int | None]) -> Iterator[str]:
    yield from imbalances(marks)
    yield from differences(output, marks, rows_of=rows_of)
    yield from breaks(marks)
    yield from unread_of_all(output, marks)
    yield from schema_problems(output, marks)


def _read(files: Iterable[DataFile], problems: list[str]) -> Iterator[Mark]:
    for file in files:
        try:
            yield ledger_mark(file)
        except Harmful as wrong:
            problems.append(f"{file.place}: {wrong}")
