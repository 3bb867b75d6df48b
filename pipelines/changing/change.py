"""How jobs change landed files: nothing without the checksum that a dry run has printed, and nothing left half done."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from schemas.errors import InvalidOptions
from schemas.registry import ACCEPTANCE
from transforms.core.chains.as_signed import check_as_signed
from transforms.core.chains.chain import chain_to_append
from transforms.core.chains.settling import settle
from transforms.core.chains.unsigned_files import UnsignedFiles
from transforms.core.keys.step_keys import SigningKeys
from transforms.core.output.claim import claimed
from transforms.core.output.layout import CLAIM_FILE, Output, claim_of
from transforms.core.output.sweeping import sweep_output
from transforms.core.output.unfinished import Unfinished, begun, check_is_of, forget_unfinished, read_unfinished


class Shown(Protocol):
    """What a dry run shows of a change; making it only looks."""

    @property
    def checksum(self) -> str:
        """Stands for all that would be changed; of another output, or one that has changed, it is another one."""

    @property
    def told(self) -> list[str]:
        """Lines for people that say what would be changed; nothing of a person."""


class Plan(Shown, Protocol):
    """What a change would do."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be changed."""

    @property
    def payload(self) -> Any:
        """What the change needs to be finished by another process, as msgspec makes JSON of it; nothing of a person."""

    def vouched(self, output: Output) -> Iterable[str]:
        """Paths in the output of what the change reads and vouches for anew: first they must be as they were signed."""


P = TypeVar("P", bound=Plan)


def checksum_of(told: object) -> str:
    """32 hex digits that stand for what a plan says, which JSON can hold."""
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Change(Generic[P]):
    """A change by a job. `plan` is called by the dry run, and again when the output is held.

    `finish` makes the change from the record of its begin alone, from wherever a killed run left it, and returns the
    path of its receipt. `otherwise` notes something where nothing is to be changed. `check` raises where a change that
    a dry run may print cannot be carried out, as for want of a key. `keys` sign what was changed; None where none are
    given.
    """

    job: str
    output: Output
    plan: Callable[[], P]
    finish: Callable[[Unfinished], str]
    keys: SigningKeys | None
    otherwise: Callable[[P], None] | None = None
    check: Callable[[P], None] = lambda _: None


def dry_run(job: str, output: Output, plan: Callable[[], Shown]) -> None:
    """Prints what would be changed and its checksum; of a change that was cut off, what it was to do.

    Raises UnfinishedChange where that is another job's.
    """
    found = read_unfinished(output)
    if found is None:
        made = plan()
        told, checksum = made.told, made.checksum
    else:
        check_is_of(output, found, job)
        told, checksum = ["this was cut off before its end:", *found.told], found.checksum
    print("\n".join(told))
    print("nothing was changed; to do it, run this again with the same flags and --checksum CHECKSUM")
    print(f"checksum {checksum}")


def carry_out(change: Change[Any], checksum: str) -> str | None:
    """Changes what the dry run of that checksum has named, or finishes it; returns the receipt's path, None where
    nothing was to be changed. What killed runs had not signed is signed before the first file is changed.

    Raises OutputInUse where a job writes, InvalidOptions where the checksum is that of something else,
    UnfinishedChange where another job's change was cut off, UnbalancedBooks where a file that is to be vouched for
    again is not as it was signed.
    """
    with ExitStack() as claims:
        for name in (CLAIM_FILE, claim_of(ACCEPTANCE)):
            claims.enter_context(claimed(change.output, name, to_finish=True))
        sweep_output(change.output)
        found = read_unfinished(change.output)
        if found is not None:
            check_is_of(change.output, found, change.job, checksum)
        else:
            plan = change.plan()
            if plan.checksum != checksum:
                raise InvalidOptions(
                    f"--checksum {checksum}: what would be changed now is something with another checksum; run "
                    "--dry_run again with the same flags and read what it prints"
                )
            change.check(plan)
            for line in settle(change.output, change.keys):
                print(line, file=sys.stderr, flush=True)
            if plan.is_empty and change.otherwise is None:
                return None
            _check_vouched(change, plan)
            found = begun(change.job, checksum, plan.told, plan.payload)
            found.save(change.output)
            if plan.is_empty and change.otherwise is not None:
                change.otherwise(plan)
                forget_unfinished(change.output)
                return None
        receipt = change.finish(found)
        forget_unfinished(change.output)
        return receipt


def _check_vouched(change: Change[Any], plan: Plan) -> None:
    chain = chain_to_append(change.output, change.keys.signer if change.keys else None)
    if chain is not None:
        streams = chain.head.streams if chain.head else {}
        check_as_signed(change.output, chain, plan.vouched(change.output), UnsignedFiles(change.output, streams))


def only_sweep(output: Output) -> None:
    """Holds an output where there is nothing else to do: a run of before may have been killed at its very end.

    Raises OutputInUse.
    """
    with claimed(output):
        sweep_output(output)


def run(
    change: Change[Any], checksum: str | None, done: Sequence[str] = ("changed", "nothing was to be changed")
) -> None:
    """The dry run where there is no checksum, else the change; `done` says that it was made, or that nothing was."""
    if checksum is None:
        dry_run(change.job, change.output, change.plan)
        return
    receipt = carry_out(change, checksum)
    print(f"{done[0]}; receipt: {receipt}" if receipt else done[1])
