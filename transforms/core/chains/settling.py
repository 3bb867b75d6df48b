"""Signs what killed runs have left whole and not signed, before somebody changes files of it.

A run signs when its ledger rows are there, and a change alters the rows and files: whoever signed the run after the
change would vouch for files that are gone, or not find the rows as a worker wrote them. What is not whole is left as it
is; its run writes it again, and signs it then.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date

from schemas.errors import UnbalancedBooks
from transforms.core import storage
from transforms.core.chains.chain import Chain, chain_to_append, put_file
from transforms.core.chains.input_manifest import sign_input
from transforms.core.chains.run_signing import Signing
from transforms.core.chains.unsigned_inputs import (
    Begun,
    end_input,
    is_believed,
    is_signed_since,
    read_begun,
    unsigned_inputs,
)
from transforms.core.chains.window_manifests import WindowManifests
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.step_keys import SigningKeys
from transforms.core.output import stream_state
from transforms.core.output.input_list import list_before, troubles
from transforms.core.output.layout import Output
from transforms.core.output.ledger import mark_files, read_marks


def settle(output: Output, keys: SigningKeys | None) -> list[str]:
    """Signs it; returns a line for each stream and input of which something was signed. The caller holds the claim.

    Nothing is done where the output is not signed. Raises KeyUnavailable where it is and there are no keys,
    UnbalancedBooks where a whole window has a mark that no worker with this ring wrote.
    """
    chain = chain_to_append(output, keys.signer if keys else None)
    if chain is None or keys is None:
        return []
    return [*_windows(output, chain, keys.proof), *_inputs(output, chain, keys.proof)]


def _windows(output: Output, chain: Chain, proof: RowProof) -> Iterator[str]:
    signed_to_s, listing = (chain.head.streams if chain.head else {}), output.listing()
    for stream in sorted({*stream_state.streams_of(output), *signed_to_s}):
        if next(mark_files(stream, listing, signed_to_s.get(stream, -1)), None) is None:
            continue
        state = stream_state.load(output, stream) or stream_state.recover(output, stream)
        if state is None:
            continue
        with suppress(UnbalancedBooks):  # such windows are read again when the stream is started
            stream_state.advance(state)
        before = chain.number
        if state.whole_to_s > signed_to_s.get(stream, -1):
            WindowManifests(state, Signing(chain, proof, geo_database_date=_geo_date(chain, stream))).take_in()
        if chain.number > before:
            yield f"signed the last windows of stream {stream}, whose job was cut off before it had"


def _geo_date(chain: Chain, stream: str) -> date | None:
    """That of the job which was cut off, as its last manifest tells it."""
    return next((manifest.geo_database_date for manifest in chain.backwards() if manifest.input == stream), None)


def _inputs(output: Output, chain: Chain, proof: RowProof) -> Iterator[str]:
    for digest in unsigned_inputs(output):
        begun = read_begun(output, digest)
        if begun is not None and is_signed_since(begun, chain):
            end_input(output, digest)
        elif begun is not None and is_believed(begun, digest, chain, proof) and _sign(output, chain, proof, begun):
            end_input(output, digest)
            yield f"signed input {digest}, whose run was cut off before it had"


def _sign(output: Output, chain: Chain, proof: RowProof, begun: Begun) -> bool:
    """Whether it is signed now; not where it is not whole, or not written with this ring."""
    listed, marks = list_before(output, begun.input), read_marks(output, begun.input)
    if listed is None or troubles(output, listed, marks):
        return False
    signing = Signing(chain, proof, [*_still_there(output, begun)], begun.geo_database_date)
    try:
        sign_input(output, signing, begun.input, marks, begun.days_before, begun.is_again)
    except UnbalancedBooks:  # a row that no worker with this ring wrote; the input has to be run again
        return False
    return True


def _still_there(output: Output, begun: Begun) -> Iterator[str]:
    for told in begun.beside:
        if storage.exists(output.beside(told.path)) and put_file(output, told.path) == told:
            yield told.path
