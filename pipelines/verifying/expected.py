"""What must lie in an output: all manifests, one after another."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipelines.verifying.chains import CheckedChain
from transforms.core.chains.kept import ACCEPTED, BROUGHT_BACK, TAKEN_OVER
from transforms.core.chains.run_manifest import PutFile, RunManifest
from transforms.core.output.layout import OUTPUT_FILE


@dataclass
class Expected:
    """The files that must be there, by path, and what was there before: replaced or removed, and by which manifest."""

    files: dict[str, PutFile] = field(default_factory=dict)
    replaced: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Path -> digests that a file had before, and the manifest that put it so."""
    removed: dict[str, str] = field(default_factory=dict)
    put_by: dict[str, str] = field(default_factory=dict)
    taken_over: dict[str, str] = field(default_factory=dict)
    """Small files that a manifest put as they were found, and are so still, with the manifest: `output:3`."""


def expected_of(chains: Iterable[CheckedChain]) -> Expected:
    """Replays the chains, by the time at which each manifest was made."""
    found = Expected()
    in_order = heapq.merge(*(chain.manifests for chain in chains), key=lambda manifest: manifest.made_at)
    for manifest in in_order:
        _replay(found, manifest)
    return found


def _replay(found: Expected, manifest: RunManifest) -> None:
    name = f"{manifest.chain} {manifest.number}"
    for path in manifest.removed:
        if (before := found.files.pop(path, None)) is not None:
            found.removed[path] = name
            found.replaced.setdefault(path, []).append((before.sha256, found.put_by[path]))
    for file in manifest.put:
        before = found.files.get(file.path)
        if before is not None and before.sha256 != file.sha256:
            found.replaced.setdefault(file.path, []).append((before.sha256, found.put_by[file.path]))
        found.files[file.path] = file
        found.put_by[file.path] = name
        found.removed.pop(file.path, None)
    _replay_taken_over(found, manifest)


def _replay_taken_over(found: Expected, manifest: RunManifest) -> None:
    """It is over where the file is gone, or another one was put; of what an output keeps, to which each run may add,
    where it was brought back; and of whatever was accepted.
    """
    over = {*manifest.removed, *(file.path for file in manifest.put if file.path != OUTPUT_FILE)}
    over |= {*manifest.facts.get(BROUGHT_BACK, ())}
    accepted = {*manifest.facts.get(ACCEPTED, ())}
    left = {path: by for path, by in found.taken_over.items() if path not in over and by not in accepted}
    found.taken_over = left | dict.fromkeys(manifest.facts.get(TAKEN_OVER, ()), f"{manifest.chain}:{manifest.number}")
