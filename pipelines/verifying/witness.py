"""What is remembered of an output elsewhere: its number, its keys, and how long its chains were when all was well.

An output that was rolled back as a whole, manifests and all, is sound in itself. Only who knows of a later manifest
can tell. The file must lie where nobody who writes the output can write.
"""

import argparse
import base64
import re
from collections.abc import Mapping

import msgspec

from pipelines.verifying.chains import CheckedChain
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.chains.chain import OUTPUT_CHAIN
from transforms.core.chains.chain_files import path_of
from transforms.core.output.layout import Output

_VERSION = 1
_MOST_BYTES = 64 * 1024
_HEAD = re.compile(r"([0-9]{1,9}):([0-9a-f]{64})")


class Head(msgspec.Struct, frozen=True):
    """The last manifest of a chain: its number and the digest of its file."""

    number: int
    digest: str


def head_of(text: str) -> Head:
    """A head as people write it, as a flag's type."""
    if (found := _HEAD.fullmatch(text)) is None:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: allowed is NUMBER:DIGEST, as verify prints it")
    return Head(int(found[1]), found[2])


class Witness(msgspec.Struct, frozen=True):
    """What a witness file holds: the output's own number, its public keys in base64, the chains' heads by name."""

    output: str
    public_keys: list[str]
    chains: dict[str, Head]
    version: int = _VERSION

    @property
    def key(self) -> bytes:
        """The public key with which the last manifests were signed; raises ValueError where it is none."""
        return base64.b64decode(self.public_keys[-1])


def read_witness(path: str | None, output: Output) -> Witness | None:
    """The witness of a file; None where there is none yet. Raises InvalidOptions where it cannot be one."""
    if path is None:
        return None
    inside, target = storage.absolute(output.path).rstrip("/") + "/", storage.absolute(path)
    if target.startswith(inside):
        raise InvalidOptions(
            f"--witness {path}: lies in the output; who can roll that back rolls the witness back, too"
        )
    if not storage.exists(path):
        return None
    try:
        found = msgspec.json.decode(storage.read_start(path, _MOST_BYTES), type=Witness)
        is_sound = found.version == _VERSION and bool(found.key)
    except (msgspec.MsgspecError, ValueError, IndexError):
        is_sound = False
    if not is_sound:
        raise InvalidOptions(f"--witness {path}: no file that verify has written; allowed is one, or a new name")
    return found


def write_witness(path: str, chains: Mapping[str, CheckedChain], key: bytes) -> None:
    """Remembers the chains as they are now."""
    heads = {name: Head(chain.last, chain.digests[chain.last]) for name, chain in chains.items()}
    told = Witness(chains[OUTPUT_CHAIN].manifests[0].output, [base64.b64encode(key).decode()], heads)
    storage.write_atomic(path, msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")


def witness_problems(witness: Witness | None, chains: Mapping[str, CheckedChain]) -> list[str]:
    """A line for each chain that is not a later state of what was remembered."""
    if witness is None:
        return []
    main = chains.get(OUTPUT_CHAIN)
    if main and main.manifests and main.manifests[0].output != witness.output:
        return [f"the witness is of another output ({witness.output}) than this one ({main.manifests[0].output})"]
    return [line for name, head in witness.chains.items() if (line := head_problem(name, head, chains.get(name)))]


def head_problem(name: str, head: Head, chain: CheckedChain | None) -> str | None:
    """What is wrong where a chain must have had this manifest."""
    last = chain.last if chain else 0
    if chain is None or head.number > last:
        return f"rolled back: the chain {name} ends with manifest {last}, and manifest {head.number} was there before"
    if chain.digests.get(head.number) != head.digest:
        return (
            f"{path_of(name, head.number)}: is another one than was there before: the output was rolled back, and "
            "other manifests were added since"
        )
    return None
