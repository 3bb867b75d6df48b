"""The chain of a dataset that has a claim of its own, and is written beside a job that holds the output."""

from collections.abc import Iterable, Mapping

from transforms.core import storage
from transforms.core.chains.chain import Chain, Told, chain_to_append, number_of_output, put_file
from transforms.core.chains.kept import TAKEN_OVER
from transforms.core.chains.run_manifest import PutFile
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import Output


def digests_now(output: Output, paths: Iterable[str]) -> dict[str, str]:
    """The digests of those files that are there, by their paths in the output."""
    return {path: put_file(output, path).sha256 for path in paths if storage.exists(output.beside(path))}


def sign_apart(
    output: Output, signer: Signer | None, claim: str, kind: str, paths: Iterable[str], before: Mapping[str, str]
) -> str | None:
    """Appends a manifest of those of the paths that are not as the dataset's chain says; returns its number and digest.

    `before` are the digests that files had when the run began. A file that the run has not changed and that the chain
    does not name so is taken over, as after a run that was killed before its manifest; the manifest says which, and
    `verify` tells it until the file is another one or gone, or somebody has accepted it. None, and nothing is written,
    where nothing differs or the output is not signed. Raises KeyUnavailable where the dataset is signed and the signer
    is None.
    """
    chain = chain_to_append(output, signer, claim)
    if chain is None:
        return None
    wanted = {*paths}
    words = _words(chain, wanted)
    now = {path: put_file(output, path) for path in sorted(wanted) if storage.exists(output.beside(path))}
    put = [file for path, file in now.items() if words.get(path) != file]
    removed = [path for path, file in words.items() if file is not None and path not in now]
    if not put and not removed:
        return None
    taken_over = [file.path for file in put if before.get(file.path) == file.sha256]
    told = Told(facts={TAKEN_OVER: taken_over} if taken_over else {})
    return chain.append(kind, put, removed, told, number_of_output(output, signer))


def _words(chain: Chain, wanted: set[str]) -> dict[str, PutFile | None]:
    """What the chain says last of each path; None of what it says to be removed."""
    words: dict[str, PutFile | None] = {}
    for manifest in chain.backwards():
        words = {**{file.path: file for file in manifest.put if file.path in wanted}, **words}
        words = {**{path: None for path in manifest.removed if path in wanted}, **words}
        if len(words) == len(wanted):
            break
    return words
