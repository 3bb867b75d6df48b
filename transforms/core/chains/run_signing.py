"""What a run that holds an output needs to sign what it writes there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from schemas.errors import KeyUnavailable, UnbalancedBooks
from transforms.core.chains.chain import OUTPUT_CHAIN, Chain, Told, begin_chain, is_to_be_signed, put_file
from transforms.core.chains.chain_files import last_number
from transforms.core.chains.run_manifest import PutFile
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.signing import Signer
from transforms.core.output.books import Books
from transforms.core.output.layout import DATA_DATASETS, LEDGER, OUTPUT_FILE, Output
from transforms.core.output.ledger import Mark
from transforms.core.times import UNKNOWN_DATE

HOW_TO_BEGIN = "python -m pipelines.sign --datasets {output} --key_ring DIR signs what is there"


@dataclass(frozen=True)
class Signing:
    """The chain of an output, what tells rows of workers with the same ring, and facts that stand in each manifest.

    `beside` are paths in the output of the small files that the run has written or looked at: what an output keeps,
    and the columns' meaning.
    """

    chain: Chain
    proof: RowProof
    beside: Sequence[str] = ()
    geo_database_date: date | None = None

    def beside_now(self, output: Output) -> list[PutFile]:
        """Those small files as they lie there; what an output keeps is in the chain once that is begun."""
        paths = (path for path in self.beside if path != OUTPUT_FILE or not self.chain.is_begun)
        return [put_file(output, path) for path in paths]

    def told(self, of_input: str, marks: Sequence[Mark], streams: Mapping[str, int] | None = None) -> Told:
        """What a manifest says of the rows' books, and of the months whose keys made the rows."""
        books = Books()
        for mark in marks:
            books.add_row(mark.row)
        months = {f"{mark.day:%Y-%m}" for mark in marks if mark.row["rows"] and mark.day != UNKNOWN_DATE}
        return Told(of_input, sorted(months), self.geo_database_date, _as_maps(books), streams=streams or {})

    def check_rows(self, marks: Sequence[Mark]) -> None:
        """Raises UnbalancedBooks where a row was not written by a worker with this ring: nobody signs for it."""
        for mark in marks:
            if not self.proof.holds(mark.row):
                way_out = (
                    "Bring it back as it was" if mark.name.is_of_stream else "Run that input again to write it anew"
                )
                raise UnbalancedBooks(
                    f"received_date={mark.day} {mark.name}: the ledger row was not written with this key ring, or was "
                    f"altered since; nothing of it is signed. {way_out}"
                )


def _as_maps(books: Books) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, list) else value for name, value in books.as_row().items()}


def chain_of_run(output: Output, signer: Signer | None) -> tuple[Chain | None, str]:
    """The chain to which a run appends, None where it is not signed; and a line for people, empty where all is usual.

    A new output begins its chain, also where its first run was cut off. One in which data was landed without a
    signature does not: who signs for it says so with a command of its own.
    Raises KeyUnavailable where the output is signed and there is no key that signs.
    """
    is_begun = bool(last_number(output, OUTPUT_CHAIN))
    if signer is None and is_begun:
        raise KeyUnavailable(
            f"{output} is signed, and this key ring has no signing key: bring back the ring that it was signed with"
        )
    if signer is None:
        return (
            None,
            "this run is not signed: the key ring is of version 1; pipelines.keys rotate gives it a signing key",
        )
    line = ""
    if not is_begun and has_data(output):
        if not is_to_be_signed(output):
            return None, f"this run is not signed: {output} was begun without; {HOW_TO_BEGIN.format(output=output)}"
        line = (
            f"warning: {output} has no manifest yet: its first run was cut off, or somebody took them away; this run "
            "signs what it writes and nothing else"
        )
    return begin_chain(output, signer), line


def has_data(output: Output) -> bool:
    """Whether something has landed in an output."""
    listing = output.listing()
    return any(listing.days(dataset) for dataset in (LEDGER, *DATA_DATASETS))
