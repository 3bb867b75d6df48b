"""What `pipelines.erase` and `pipelines.withdraw` are told by their flags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.changing.flags import add_change_flags, check_is_output
from pipelines.erasing.code_keys import load_keys
from pipelines.options.audit_flags import add_audit_flags
from pipelines.options.flags import JobParser
from pipelines.options.wrapping import add_key_ring_flags
from pipelines.people.people_file import Person, add_people_flag, read_people
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.step_keys import StepKeys, step_keys_of
from transforms.core.output.layout import Output
from transforms.core.output.output_facts import check_output


@dataclass(frozen=True)
class Told:
    """`erases` is False where people keep a level. `private` are keys of roles, one of each."""

    job: str
    output: Output
    people: Sequence[Person]
    ring: KeyRing
    private: Mapping[str, PrivateKeys]
    erases: bool
    leaves_quarantine: bool
    purpose: str | None = None
    audit_log: str | None = None

    @cached_property
    def keys(self) -> StepKeys:
        """The ring's parts; made once, as they take some ms."""
        return step_keys_of(self.ring)


def add_flags(parser: JobParser) -> None:
    """The flags of both jobs."""
    add_change_flags(parser)
    add: Callable[..., Any] = parser.add_argument
    add_people_flag(add)
    told = "The output's key ring: people are found by pseudonyms under each of its months."
    add_key_ring_flags(add, told, required=True)
    add("--private_key", action="append", default=[], metavar="FILE",
        help="A key file of a role, repeatable: of the operators, to look into quarantine; of prompts and completions, "
        "where code of others lies in the same files as that of these people.")  # fmt: skip
    add("--leave_quarantine", action="store_true",
        help="Go on though quarantined payloads cannot be looked into. They stay until they expire.")  # fmt: skip
    add_audit_flags(parser, required=False)


def told_by(job: str, args: Any, *, erases: bool) -> Told:
    """Reads and checks what the flags name. Raises InvalidOptions, KeyUnavailable, StorageUnavailable."""
    check_is_output(args.datasets)
    ring = keyring.load(args.key_ring)
    check_output(args.datasets, None, ring)
    people = read_people(args.people)
    return Told(
        job,
        args.datasets,
        people,
        ring,
        load_keys(args.private_key),
        erases,
        args.leave_quarantine,
        args.purpose,
        args.audit_log,
    )
