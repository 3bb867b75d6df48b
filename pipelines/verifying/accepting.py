"""Somebody who has the key ring says that files which a manifest took over are right: the chain names it, for good."""

from collections.abc import Sequence

from pipelines.verifying.chains import read_chains
from pipelines.verifying.expected import expected_of
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.chains.chain import Chain, Told
from transforms.core.chains.kept import ACCEPTED
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import Output

KIND = "accept"


def accept(output: Output, signer: Signer, manifests: Sequence[str]) -> list[str]:
    """Signs that what these manifests took over, each as `output:3`, is right; returns the paths.

    The caller holds the claim. Raises InvalidOptions where one of them took nothing over, or that is over already.
    """
    entries = [*storage.whole_tree(output.path)]
    taken_over = expected_of(read_chains(output, entries, signer.public_key).values()).taken_over
    if odd := sorted({*manifests} - {*taken_over.values()}):
        known = ", ".join(sorted({*taken_over.values()})) or "none"
        raise InvalidOptions(f"--accept {odd[0]}: manifests that took something over, and it is so still: {known}")
    Chain(output, signer).append(KIND, [], told=Told(facts={ACCEPTED: sorted({*manifests})}))
    return sorted(path for path, by in taken_over.items() if by in manifests)
