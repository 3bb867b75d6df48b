"""The end of a replay: what was replayed is written down, then signed, and then the change is over.

Each of these steps may be done again where a run was killed after it.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from datetime import UTC, datetime

from pipelines.replaying.plan import Going, digest_of
from schemas.registry import contract_digest
from transforms.core import storage
from transforms.core.chains.chain import record_change
from transforms.core.keys.signing import Signer
from transforms.core.output.claim import claimed
from transforms.core.output.layout import Output
from transforms.core.output.ledger import read_marks, total
from transforms.core.output.replayed import Replayed, path_of
from transforms.core.output.sweeping import sweep_output
from transforms.core.output.unfinished import Unfinished, check_is_of, forget_unfinished, read_unfinished

JOB = "replay"


def is_written_down(output: Output, going: Sequence[Going]) -> bool:
    """Whether everything of these payloads has landed, and a run has said so."""
    return storage.exists(output.beside(path_of(digest_of(going))))


def write_down(output: Output, checksum: str, going: Sequence[Going], stays: Container[str]) -> None:
    """Says which of them are no trouble any more: all but those whose `payload_id` is among what stays."""
    if is_written_down(output, going):
        return
    gone = [one for one in going if one.payload_id not in stays]
    by_day = defaultdict(list)
    for one in gone:
        by_day[one.day].append(one.payload_id)
    reasons = dict(Counter(one.reason for one in gone))
    Replayed(digest_of(going), checksum, datetime.now(UTC), contract_digest(), dict(by_day), reasons).save(output)


def end(output: Output, signer: Signer | None, going: Sequence[Going]) -> None:
    """Signs what was written down, and ends the change; the caller holds the output."""
    digest = digest_of(going)
    facts = {"payloads": len(going), "landed": total(read_marks(output, digest)).landed}
    record_change(output, signer, JOB, [path_of(digest)], [], facts)
    forget_unfinished(output)


def end_what_was_written_down(output: Output, signer: Signer | None, change: Unfinished) -> None:
    """Finishes a replay that was killed when everything had landed: nothing of it goes through the job again.

    Else rows would go that have landed, where the keys of their month were destroyed since. Raises OutputInUse.
    """
    with claimed(output, to_finish=True):
        sweep_output(output)
        found = read_unfinished(output)
        if found is not None:
            check_is_of(output, found, JOB, change.checksum)
            end(output, signer, change.payload_as(tuple[Going, ...]))
