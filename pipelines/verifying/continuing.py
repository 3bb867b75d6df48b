"""The chains of an output go on under a new signing key, once what lies there was held against what is known of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pipelines.verifying.chains import CheckedChain, read_chains
from pipelines.verifying.records import Trusted, is_record
from pipelines.verifying.witness import Head, Witness, head_problem, witness_problems
from schemas.errors import InvalidOptions, StorageRefused, UnbalancedBooks
from transforms.core import storage
from transforms.core.chains.chain import OUTPUT_CHAIN, Chain, Told
from transforms.core.chains.chain_files import last_number, path_of, put_key_beside, read_each
from transforms.core.chains.kept import announce_kept
from transforms.core.chains.renewal import RENEWAL, link_facts
from transforms.core.chains.run_manifest import digest_of, key_of
from transforms.core.keys.public_key import shown_key
from transforms.core.keys.retired import LEAKED, RetiredKey
from transforms.core.keys.ring import KeyRing
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import CHAINS_FOLDER, RUNS, Output
from transforms.core.output.output_facts import LEAST_SLOTS, begin_output


@dataclass(frozen=True)
class Known:
    """What is known from elsewhere of an output: a witness, a manifest; or that it is to be taken over as it is."""

    witness: Witness | None = None
    expect: Head | None = None
    as_it_is: bool = False

    def last(self, chain: str) -> int:
        """The last manifest of a chain that is known; 0 where none is."""
        heads = [self.witness.chains.get(chain)] if self.witness else []
        heads += [self.expect] if chain == OUTPUT_CHAIN else []
        return max((head.number for head in heads if head is not None), default=0)


def continue_chains(output: Output, ring: KeyRing, signer: Signer, known: Known) -> list[Chain]:
    """Adds a link to each chain whose last manifest is signed with a key that was retired; returns these chains.

    The output then knows the new edition of the ring, and the new public key lies beside it. The caller holds the
    claims. Other chains come first: while the output's own has no link no run writes there, and the same command goes
    on. Raises InvalidOptions where a key leaked and nothing is known, StorageRefused where a
    chain is signed with a key that the ring never had, UnbalancedBooks where a chain does not hold.
    """
    heads = {name: _key_of_last(output, name, signer) for name in _names(output)}
    retired = {key.public_key: key for key in ring.retired}
    left = {name: retired[key] for name, key in heads.items() if key in retired}
    if any(key.reason == LEAKED for key in left.values()) and known == Known():
        raise InvalidOptions(
            f"--datasets {output}: its key has leaked, so somebody else may have written what lies there: give a "
            "--witness or --expect that knows it from before, or --as_it_is to take it over without"
        )
    chains = read_chains(output, storage.whole_tree(output.path), signer.public_key, heads)
    _check_chains(output, chains, known)
    made = [_link(output, signer, name, left[name], known) for name in left if name != OUTPUT_CHAIN]
    if OUTPUT_CHAIN in left:
        retired_key = left[OUTPUT_CHAIN]
        records = dict(_records(output, ring, retired_key, chains[OUTPUT_CHAIN]))
        made.append(_link(output, signer, OUTPUT_CHAIN, retired_key, known, records))
    begin_output(output, LEAST_SLOTS, ring, partial(announce_kept, output, Chain(output, signer)))
    put_key_beside(output, signer.public_key)
    return made


def _names(output: Output) -> list[str]:
    names = storage.list_folders(output.beside(RUNS, CHAINS_FOLDER))
    return [name for name in names if last_number(output, name)]


def _key_of_last(output: Output, name: str, signer: Signer) -> bytes:
    path = path_of(name, last_number(output, name))
    (data,) = read_each(output, [path])
    key = key_of(data)
    if key not in {signer.public_key, *signer.retired}:
        raise StorageRefused(f"{output.beside(path)}: is signed with a key that this ring never had: {shown_key(key)}")
    return key


def _check_chains(output: Output, chains: Mapping[str, CheckedChain], known: Known) -> None:
    """What a new key vouches for must hold: files are told by manifests, and each of these by the one after it."""
    problems = [line for chain in chains.values() for line in chain.problems]
    problems += witness_problems(known.witness, chains)
    if known.expect and (line := head_problem(OUTPUT_CHAIN, known.expect, chains.get(OUTPUT_CHAIN))):
        problems.append(line)
    if problems:
        for problem in problems:
            print(problem)
        raise UnbalancedBooks(
            f"{len(problems)} places of the chains of {output} do not hold, and no key vouches for it"
        )


def _link(
    output: Output,
    signer: Signer,
    name: str,
    retired: RetiredKey,
    known: Known,
    records: Mapping[str, str] | None = None,
) -> Chain:
    chain = Chain(output, signer, name, under=retired.public_key)
    chain.append(RENEWAL, [], told=Told(facts=link_facts(retired, known.last(name), records or {})))
    return chain


def _records(output: Output, ring: KeyRing, retired: RetiredKey, of_chain: CheckedChain) -> Iterator[tuple[str, str]]:
    """Digests of the records, by path, that were sound under the key of before, and under one after it that the chain
    never had.
    """
    keys = [key.public_key for key in ring.retired[ring.retired.index(retired) :]]
    told = {path: digest for link in reversed(of_chain.links) for path, digest in link.records.items()}
    for name in storage.list_files(output.beside(RUNS)):
        path = f"{RUNS}/{name}"
        data = storage.read_bytes(output.beside(path)) if is_record(path) else b""
        if any(Trusted(key, told).vouches_for(path, data) for key in keys):
            yield path, digest_of(data)
