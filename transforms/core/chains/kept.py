"""What an output keeps, `_output.json`, in its chain: each change of it is signed before it is made.

So a run that is killed at any moment leaves either the file as the chain says, or the one before it, which the next run
changes in the same way. A file that is neither was altered by somebody. It is taken over as it is, since nothing else
tells how the output was begun, and the manifest says so: `verify` warns until the file is as it was before, or somebody
who has the key ring has accepted it.
"""

import sys
from collections.abc import Iterator
from typing import Any

from transforms.core.chains.chain import Chain, Told, put_file
from transforms.core.chains.run_manifest import PutFile, RunManifest, digest_of
from transforms.core.output.layout import OUTPUT_FILE, Output

KEPT = "kept"
"""The kind of a manifest that names what an output keeps from now on."""

TAKEN_OVER = "taken_over"
"""The fact of a manifest that names files which it puts as they were found, unlike the manifest before."""

BROUGHT_BACK = "brought_back"
"""The fact that names files which are again as they were before they were taken over."""


ACCEPTED = "accepted"
"""The fact that names manifests, as `output:3`: somebody has looked at what they took over, and it is right."""


def announce_kept(output: Output, chain: Chain | None, data: bytes) -> None:
    """Signs what `_output.json` will hold, where the chain does not say so yet; to be called before it is written.

    Warns in a line where the file was altered since the last manifest. Nothing is done where nothing is signed yet.
    Raises StorageUnavailable, also where the file is gone.
    """
    will_be = PutFile(OUTPUT_FILE, len(data), None, digest_of(data))
    told = next((file for _, file in _words(chain)), None) if chain else None
    if chain is None or told is None or told == will_be:
        return
    facts: dict[str, Any] = {}
    if (found := put_file(output, OUTPUT_FILE)) != told:
        is_back = found == _before_it_was_taken_over(chain)
        facts = {BROUGHT_BACK if is_back else TAKEN_OVER: [OUTPUT_FILE]}
        if not is_back:
            _warn(output, chain)
    chain.append(KEPT, [will_be], told=Told(facts=facts))


def _words(chain: Chain) -> Iterator[tuple[RunManifest, PutFile]]:
    """Every manifest that names the file, with what it says of it, the last one first."""
    for manifest in chain.backwards():
        for file in manifest.put:
            if file.path == OUTPUT_FILE:
                yield manifest, file


def _before_it_was_taken_over(chain: Chain) -> PutFile | None:
    """The file as it was before it was taken over last; None where it never was, or was brought back since."""
    was_taken_over = False
    for manifest, file in _words(chain):
        if was_taken_over:
            return file
        if OUTPUT_FILE in manifest.facts.get(BROUGHT_BACK, ()):
            return None
        was_taken_over = OUTPUT_FILE in manifest.facts.get(TAKEN_OVER, ())
    return None


def _warn(output: Output, chain: Chain) -> None:
    print(
        f"warning: {output.beside(OUTPUT_FILE)} is not as manifest {chain.number} says: somebody altered it, or an "
        "older version's run was killed; it is taken over as it is, and pipelines.verify tells it",
        file=sys.stderr,
        flush=True,
    )
