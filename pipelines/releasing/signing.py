"""Signs the published days: in a chain of their own, as they are written beside a job that holds the output.

First it holds what their figures are made of against the output's chain: a signature vouches for figures of rows as
they were signed, not of rows that somebody altered since then.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

from pipelines.releasing.publications import FILE, RECORD_PATH
from schemas.registry import ACCEPTANCE
from transforms.core.chains.apart import digests_now, sign_apart
from transforms.core.chains.as_signed import check_folders_as_signed
from transforms.core.chains.chain import OUTPUT_CHAIN, Chain, chain_to_append
from transforms.core.chains.chain_files import last_number
from transforms.core.chains.unsigned_files import UnsignedFiles
from transforms.core.output.layout import EXPIRED_FOLDER, Output, claim_of, path_in_output
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


def days_as_signed(
    output: Output, key_ring: str | None, days: Sequence[date], made_of: Sequence[str]
) -> tuple[list[date], list[date]]:
    """The days whose figures may be signed, and those that wait: a job beside this one has not signed their files yet.

    Figures of a day are made of its files, of the datasets `made_of`, and of those of the day before. Without a ring
    nothing is checked. Raises UnbalancedBooks where one of the others, or the record of what has expired, is not as it
    was signed, InvalidOptions as `signed`.
    """
    signer = signer_of(output, key_ring)
    if signer is None or not last_number(output, OUTPUT_CHAIN):
        return [*days], []
    head = Chain(output, signer).head
    unsigned = UnsignedFiles(output, head.streams if head else {})  # first: what is signed meanwhile waits, too
    reach = {day: {day - timedelta(days=n) for n in (0, 1)} for day in days}
    folders = {path_in_output(name, day): day for name in made_of for day in set[date]().union(*reach.values())}
    left_out = check_folders_as_signed(output, Chain(output, signer), {*folders, EXPIRED_FOLDER}, unsigned)
    unsigned_days = {folders[path.rpartition("/")[0]] for path in left_out}
    waiting = [day for day in days if not unsigned_days.isdisjoint(reach[day])]
    return [day for day in days if day not in waiting], waiting
