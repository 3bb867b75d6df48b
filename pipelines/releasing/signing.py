"""Signs the published days: in a chain of their own, as they are written beside a job that holds the output."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from pipelines.releasing.publications import FILE, RECORD_PATH
from schemas.registry import ACCEPTANCE
from transforms.core.chains.apart import digests_now, sign_apart
from transforms.core.chains.chain import OUTPUT_CHAIN, chain_to_append
from transforms.core.chains.chain_files import last_number
from transforms.core.output.layout import Output, claim_of, path_in_output
from transforms.core.output.output_facts import signer_of

_METRICS = "metrics"


@contextmanager
def signed(output: Output, key_ring: str | None, days: Sequence[date]) -> Iterator[None]:
    """Signs the files of these days, and the record of what was published, as they are when the block has ended.

    Only the holder of the dataset's claim may ask. Without a ring nothing is signed; raises KeyUnavailable before the
    block where the dataset was signed before, InvalidOptions where the ring is not the output's or an older one.
    """
    signer, claim = signer_of(output, key_ring), claim_of(ACCEPTANCE)
    if not last_number(output, OUTPUT_CHAIN) or chain_to_append(output, signer, claim) is None:
        yield
        return
    paths = [RECORD_PATH, *(path_in_output(ACCEPTANCE, day, FILE) for day in days)]
    before = digests_now(output, paths)
    yield
    sign_apart(output, signer, claim, _METRICS, paths, before)
