"""Reads the chains of manifests of an output and says of each manifest whether it holds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from transforms.core.chains.chain import OUTPUT_CHAIN
from transforms.core.chains.chain_files import path_of, place_of, read_each
from transforms.core.chains.renewal import Descent, Link
from transforms.core.chains.run_manifest import MOST_BYTES, OtherKey, RunManifest, Unsound, digest_of
from transforms.core.keys.public_key import shown_key
from transforms.core.output.layout import Output
from transforms.core.storage import Entry


@dataclass
class CheckedChain:
    """The manifests of a chain that hold, in order; the digest of each one's file by its number; what is wrong.

    `links` are places where another key took over, the latest first. `is_of_another_key`: it ends with manifests of a
    key that is neither the one asked for nor one that a link names, so what must lie there is not known.
    """

    name: str
    manifests: list[RunManifest] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    is_of_another_key: bool = False

    @property
    def last(self) -> int:
        """The number of the last manifest that lies there; 0 where there is none."""
        return max(self.digests, default=0)

    @property
    def head(self) -> str:
        """Number and digest of the last manifest as `NUMBER:DIGEST`."""
        return f"{self.last}:{self.digests[self.last]}"


def read_chains(
    output: Output, entries: Iterable[Entry], key: bytes, heads: Mapping[str, bytes] | None = None
) -> dict[str, CheckedChain]:
    """Every chain of which a manifest lies there, by name; the output's own first.

    `key` is the public key with which the last manifest must be signed; in `heads` that of single chains. Links lead
    from there to the keys of before.
    """
    found: dict[str, dict[int, Entry]] = defaultdict(dict)
    for entry in entries:
        if entry.kind == "file" and (place := place_of(entry.path)) is not None:
            found[place[0]][place[1]] = entry
    chains: dict[str, CheckedChain] = {}
    for name in sorted(found, key=lambda name: (name != OUTPUT_CHAIN, name)):
        chains[name] = _read_chain(output, name, found[name], (heads or {}).get(name, key))
    _check_one_output(chains)
    return chains


def _read_chain(output: Output, name: str, found: dict[int, Entry], key: bytes) -> CheckedChain:
    chain = CheckedChain(name)
    large = {number for number, entry in found.items() if entry.size_bytes > MOST_BYTES}
    numbers = sorted({*found} - large)
    reader = _Reader(chain, key)
    contents = read_each(output, [found[number].path for number in reversed(numbers)])
    for number, data in zip(reversed(numbers), contents, strict=True):
        reader.read(number, data)
    reader.end()
    chain.problems += [f"{found[number].path}: is larger than any manifest" for number in sorted(large)]
    missing = [number for number in range(1, max(found, default=0)) if number not in found]
    chain.problems += [f"{path_of(name, first)}: {told}" for first, told in _missing(missing)]
    return chain


def _missing(missing: list[int]) -> Iterator[tuple[int, str]]:
    for first, last in _as_spans(missing):
        which = "it is" if last == first else f"manifests {first} to {last} are"
        yield first, f"{which} missing, and later ones are there: removed"


def _as_spans(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The first and last of those that follow one another."""
    begin = 0
    for index, number in enumerate(numbers):
        if index + 1 == len(numbers) or numbers[index + 1] != number + 1:
            yield numbers[begin], number
            begin = index + 1


class _Reader:
    """Takes the files of a chain from the last one down, and holds each against the one above it."""

    def __init__(self, chain: CheckedChain, key: bytes) -> None:
        self._chain, self._key = chain, key
        self._descent = Descent(chain.name, key)
        self._of_others: dict[bytes, list[int]] = defaultdict(list)

    def read(self, number: int, data: bytes) -> None:
        chain = self._chain
        chain.digests[number] = digest_of(data)
        try:
            manifest = self._descent.opened(number, data)
            if number == 1 and manifest.before:
                raise Unsound("it names one before it: those were removed")
            chain.manifests.append(manifest)
        except OtherKey as found:
            self._of_others[found.key].append(number)
        except Unsound as found:
            chain.problems.append(f"{path_of(chain.name, number)}: {found}")

    def end(self) -> None:
        """Puts what was found in order, and says what manifests of other keys are."""
        chain = self._chain
        chain.manifests.reverse()
        chain.problems.reverse()
        chain.links = self._descent.links
        self._check_output()
        retired = {link.retired_key: link.number for link in reversed(chain.links)}
        for key, numbers in self._of_others.items():
            for first, last in _as_spans(numbers[::-1]):
                told = self._told_of(key, last, retired.get(key))
                which = "" if first == last else f" (and manifests to {last})"
                chain.problems.append(f"{path_of(chain.name, first)}{which}: {told}")

    def _check_output(self) -> None:
        chain = self._chain
        foreign = [m.number for m in chain.manifests if m.output != chain.manifests[0].output]
        chain.manifests = [m for m in chain.manifests if m.output == chain.manifests[0].output]
        chain.problems += [f"{path_of(chain.name, n)}: it is of another output and was put there" for n in foreign]

    def _told_of(self, key: bytes, last: int, retired_by: int | None) -> str:
        given, sound = shown_key(self._key), self._chain.manifests
        told = f"signed with another key ({shown_key(key)}) than {given}"
        if retired_by is not None:
            return f"{told}: with the one that manifest {retired_by} has retired; put there by who has that key"
        if sound and last < sound[-1].number:
            return f"{told}: put there"
        self._chain.is_of_another_key = True
        if sound:
            return (
                f"{told}: the chain was continued under another key than that of --public_key or the witness. Where "
                "the ring's key was renewed give the new one, which keys list prints"
            )
        return f"{told}: pipelines.sign did not continue the chain under that one yet, or it was rolled back to before"


def _check_one_output(chains: dict[str, CheckedChain]) -> None:
    main = chains.get(OUTPUT_CHAIN)
    for chain in chains.values():
        if main and main.manifests and chain.manifests and chain.manifests[0].output != main.manifests[0].output:
            chain.problems.append(f"{path_of(chain.name, 1)}: the whole chain {chain.name} is of another output")
            chain.manifests.clear()
