"""Verifies an output that is signed: the chains, then each file, then what no manifest names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipelines.verifying.beside import look_beside
from pipelines.verifying.chains import CheckedChain, read_chains
from pipelines.verifying.comparing import Compared, compare, strange_lines
from pipelines.verifying.expected import Expected, expected_of
from pipelines.verifying.reading_shown import ReadingShown
from pipelines.verifying.records import Trusted
from pipelines.verifying.witness import Head, Witness, head_problem, witness_problems
from transforms.core.chains.chain import OUTPUT_CHAIN
from transforms.core.chains.renewal import Link
from transforms.core.keys.public_key import shown_key
from transforms.core.output.layout import LEDGER, Output
from transforms.core.storage import Entry


@dataclass(frozen=True)
class Asked:
    """The public key of the last manifests, what else they are held against, and how far is looked."""

    key: bytes
    witness: Witness | None = None
    expect: Head | None = None
    only_manifests: bool = False
    while_running: bool = False


@dataclass
class Verified:
    """The chains, what must be there, what is as it must be; lines for what is not, and for what is to be known."""

    chains: dict[str, CheckedChain]
    expected: Expected
    compared: Compared
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    """Of inputs whose run was cut off: warnings where the books are not looked at."""
    unsigned_inputs: list[str] = field(default_factory=list)
    """Of inputs whose run had not signed yet: the same, and what it had written is among the problems."""
    unsigned_records: int = 0
    """Records of runs that were refused and had no key to sign with, and that later runs have followed."""

    @property
    def is_readable(self) -> bool:
        """Whether the small files, which the books are read with, may be opened."""
        return not self.is_of_another_key and all(
            line.startswith(("runs/", LEDGER)) or "/received_date=" in line for line in self.problems
        )

    @property
    def is_of_another_key(self) -> bool:
        """Whether the output's own chain ends under an unknown key, so that nothing else was looked at."""
        main = self.chains.get(OUTPUT_CHAIN)
        return main is not None and main.is_of_another_key


def verify_signed(output: Output, entries: Sequence[Entry], asked: Asked) -> Verified:
    """Compares all of it; raises StorageUnavailable where it cannot be read."""
    chains = read_chains(output, entries, asked.key)
    if chains.get(OUTPUT_CHAIN, CheckedChain(OUTPUT_CHAIN)).is_of_another_key:
        return Verified(chains, Expected(), Compared(), chains[OUTPUT_CHAIN].problems)
    expected = expected_of(chains.values())
    size_bytes = 0 if asked.only_manifests else sum(file.size_bytes for file in expected.files.values())
    with ReadingShown(size_bytes) as shown:
        compared = compare(output, entries, expected, reads=not asked.only_manifests, told=shown.add)
    found = Verified(chains, expected, compared)
    found.problems += [line for chain in chains.values() for line in chain.problems]
    if OUTPUT_CHAIN not in chains:
        found.problems.append("no manifests are there, and the output must be signed: they were removed")
    found.problems += witness_problems(asked.witness, chains)
    if asked.expect and (line := head_problem(OUTPUT_CHAIN, asked.expect, chains.get(OUTPUT_CHAIN))):
        found.problems.append(line)
    _add_differences(output, found, asked)
    found.warnings += [
        f"{path}: manifest {by} took it over as it was found, and nobody has said since that it is right. Bring it "
        f"back as it was before, or where it is right: pipelines.sign --accept {by}"
        for path, by in expected.taken_over.items()
    ]
    found.warnings += [line for chain in chains.values() for link in chain.links if (line := unvouched(link))]
    return found


def unvouched(link: Link) -> str | None:
    """A line where who had the leaked key may have written the last manifests before a link."""
    if not link.is_leaked or link.vouched_to >= link.number - 1:
        return None
    return (
        f"chain {link.chain}: manifests {link.vouched_to + 1} to {link.number - 1} may be of somebody who had the key "
        f"{shown_key(link.retired_key)}, which had leaked: nobody knew them from elsewhere when the chain was continued"
    )


def _records(chains: Mapping[str, CheckedChain]) -> dict[str, str]:
    """The digests of records of runs, by path, for which links vouch."""
    links = [link for chain in chains.values() for link in reversed(chain.links)]
    return {path: digest for link in links for path, digest in link.records.items()}


def _add_differences(output: Output, found: Verified, asked: Asked) -> None:
    beside = look_beside(output, found.compared.strange, Trusted(asked.key, _records(found.chains)))
    is_running = asked.while_running and bool(beside.claims)
    unsigned = [entry for entry in beside.strange if _is_unsigned_dataset(entry.path, found.chains)]
    strange = [entry for entry in beside.strange if entry not in unsigned]
    lines = [*found.compared.problems, *strange_lines(found.expected, strange), *beside.being_written]
    found.problems += beside.problems
    found.lists += beside.lists
    found.unsigned_inputs += beside.unsigned_inputs
    _add_unsigned_records(found, beside.unsigned_records)
    for line in lines:
        (found.warnings if is_running and _is_of_a_running_job(line) else found.problems).append(line)
    found.warnings += [f"{entry.path}: of a dataset that is not signed; give its job --key_ring" for entry in unsigned]
    found.warnings += [f"{path}: a job writes the output now, or was killed" for path in beside.claims]


def _add_unsigned_records(found: Verified, records: Sequence[tuple[str, datetime]]) -> None:
    """One that no later run has followed is a warning: what refused that run may do so still."""
    chain = found.chains.get(OUTPUT_CHAIN)
    last = chain.manifests[-1].made_at if chain and chain.manifests else None
    for path, begun in records:
        if last is None or begun.tzinfo is None or begun > last:
            found.warnings.append(f"{path}: the record of a run that was refused, which nobody signed")
        else:
            found.unsigned_records += 1


def _is_unsigned_dataset(path: str, chains: dict[str, CheckedChain]) -> bool:
    """A dataset with a claim of its own whose job was never given a ring that signs."""
    return "acceptance" not in chains and path.startswith(("acceptance/received_date=", "_published/acceptance."))


def _is_of_a_running_job(line: str) -> bool:
    """Whether a job that goes on explains it: what it has written and not signed yet, and marks that it replaces."""
    path, _, told = line.partition(": ")
    is_being_written = "no manifest names it; where its run" in told or told.startswith("half written")
    is_state = path == "_output.json" or path.startswith("_stream-")
    return is_being_written or is_state or (path.startswith(f"{LEDGER}/") and told.startswith("gone;"))
