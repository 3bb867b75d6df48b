"""The manifest of a batch input: its files as the ledger rows vouch for them, once the books balance."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from transforms.core import storage
from transforms.core.chains.chain import BEGINNING, Chain, put_file
from transforms.core.chains.run_manifest import PutFile
from transforms.core.chains.run_signing import Signing
from transforms.core.chains.vouched import own_file, vouched_files
from transforms.core.output.input_days import days_of_input
from transforms.core.output.layout import INPUTS_FOLDER, Output, parse_name
from transforms.core.output.ledger import Mark

BATCH = "batch"

Words = dict[str, PutFile | None]
"""What a chain says last of paths; None of what it says to be removed."""


def sign_input(
    output: Output, signing: Signing, digest: str, marks: Sequence[Mark], days_before: Iterable[date], is_again: bool
) -> str | None:
    """Appends the manifest of an input whose books balance; returns its number and digest.

    `days_before` are days for which an earlier run had left files; `is_again`, whether there may have been one. Where
    the chain says the same of every file already, nothing is written and None returned. A file that a later change has
    put into place, as an erasure does, stays as that change has told it, while its ledger row is as it was then.
    Raises UnbalancedBooks where a row was not written with this ring.
    """
    words = words_of_input(signing.chain, digest) if is_again else {}
    fresh = [mark for mark in marks if words.get(own_file(mark).path) != own_file(mark)]
    signing.check_rows(fresh)
    put = {file.path: file for file in _as_told(words, marks, fresh)}
    put |= {file.path: file for mark in fresh for file in (own_file(mark), *vouched_files(mark))}
    put |= {file.path: file for file in _lists(output, digest, marks, days_before)}
    before = {path: file for path, file in words.items() if file is not None}
    if put == before:
        return None
    told = signing.told(digest, marks)
    return signing.chain.append(BATCH, [*put.values(), *signing.beside_now(output)], {*before} - {*put}, told)


def _as_told(words: Words, marks: Sequence[Mark], fresh: Sequence[Mark]) -> Iterator[PutFile]:
    """Files of rows that this run has not changed."""
    kept = {(mark.day.isoformat(), str(mark.name)) for mark in marks} - {
        (m.day.isoformat(), str(m.name)) for m in fresh
    }
    for path, file in words.items():
        _, _, rest = path.partition("/received_date=")
        day, _, name = rest.partition("/")
        if file is not None and (day, name) in kept:
            yield file


def _lists(output: Output, digest: str, marks: Sequence[Mark], days_before: Iterable[date]) -> Iterator[PutFile]:
    """What was written down of the input before it was read; days that the run knows nothing of are nobody's."""
    listed = f"{INPUTS_FOLDER}/{digest}.json"
    if storage.exists(output.beside(listed)):  # not of an input that was changed while it was read
        yield put_file(output, listed)
    known = {*(mark.day for mark in marks), *days_before}
    for day in days_of_input(output, digest) or ():
        if day in known:
            yield put_file(output, f"{INPUTS_FOLDER}/{digest}/{day.isoformat()}")


def words_of_input(chain: Chain, digest: str) -> Words:
    """What the chain says last of each file of a batch input; reads back to the last manifest that names them all."""
    words: Words = {}
    for manifest in chain.backwards():
        for file in manifest.put:
            if is_of_input(file.path, digest):
                words.setdefault(file.path, file)
        for path in manifest.removed:
            if is_of_input(path, digest):
                words.setdefault(path, None)
        if manifest.kind == BEGINNING or (manifest.kind == BATCH and manifest.input == digest):
            break
    return words


def is_of_input(path: str, digest: str) -> bool:
    """Whether a path in an output is that of a file of a batch input, or of what is known of it."""
    if path.startswith(f"{INPUTS_FOLDER}/{digest}"):
        return True
    name = parse_name(path.rpartition("/")[2])
    return name is not None and name.input == digest
