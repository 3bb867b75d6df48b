"""Sign what lies in an output: one that was begun without signatures, or one whose signing key was retired.

python -m pipelines.sign --datasets datasets/ --key_ring keys/
python -m pipelines.sign --datasets datasets/ --key_ring keys/ --witness seen.json
python -m pipelines.sign --datasets datasets/ --key_ring keys/ --accept output:3
"""

import argparse
import re
from collections.abc import Iterator, Sequence

from pipelines.options.flags import JobParser, job_parser
from pipelines.options.wrapping import add_key_ring_flags
from pipelines.running.command import run_job
from pipelines.verifying.accepting import accept
from pipelines.verifying.beginning import begin_signing
from pipelines.verifying.continuing import Known, continue_chains
from pipelines.verifying.witness import head_of, read_witness
from schemas.errors import InvalidOptions, KeyUnavailable
from schemas.registry import ACCEPTANCE
from transforms.core import storage
from transforms.core.chains.chain import OUTPUT_CHAIN
from transforms.core.chains.chain_files import last_number
from transforms.core.chains.settling import settle
from transforms.core.keys import keyring
from transforms.core.keys.public_key import shown_key
from transforms.core.keys.ring import KeyRing
from transforms.core.keys.signing import Signer
from transforms.core.keys.step_keys import SigningKeys, step_keys_of
from transforms.core.output.claim import claimed
from transforms.core.output.layout import OUTPUT_FILE, PUBLIC_KEY_FILE, Output, claim_of
from transforms.core.output.output_facts import check_output
from transforms.core.output.sweeping import sweep_output
from transforms.core.output.unfinished import read_unfinished

_MANIFEST = re.compile(r"[a-z_]{1,40}:[0-9]{1,9}")


def _manifest(text: str) -> str:
    if _MANIFEST.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: allowed is CHAIN:NUMBER, as verify prints it")
    return text


def _parser() -> JobParser:
    parser = job_parser(
        "sign",
        "Begin the chain of signed manifests of an output that was begun without: by a key ring of version 1, or an "
        "older version of this program. All that lies there is signed as it is found, after its books were verified; "
        "what was done to it before, no signature tells. A new output needs no such beginning. In an output that is "
        "signed it signs what killed runs have left whole, as the same run again would. With --accept, say of a signed "
        "output that what a manifest took over is right, so that verify warns of it no more. Of an output whose "
        "signing key was retired (keys renew_signing), go on under the new key: a first manifest of the new key names "
        "the last one of the old key, once all manifests were checked.",
    )
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the jobs.")
    add_key_ring_flags(parser.add_argument, "The key ring that it is written with.", required=True)
    parser.add_argument("--accept", type=_manifest, action="append", metavar="CHAIN:NUMBER",
                        help="A manifest that took over a file which somebody had altered, or that a killed run had "
                        "left, as verify names it. Look at the file first. Repeatable.")  # fmt: skip
    known = parser.add_argument_group("where a key was retired because it had leaked, one of")
    known.add_argument("--witness", metavar="FILE", help="File of `verify --witness` from before: the output must be a "
                       "later state of what it remembers. It is not changed.")  # fmt: skip
    known.add_argument("--expect", type=head_of, metavar="NUMBER:DIGEST",
                       help="A manifest that must be in the chain, as verify has printed it before.")  # fmt: skip
    known.add_argument("--as_it_is", action="store_true",
                       help="Nobody knows the output from before the leak: take it over as it is. verify tells it "
                       "from then on.")  # fmt: skip
    return parser


def main(argv: Sequence[str]) -> None:
    """The command; raises PipelineError where something must not be signed."""
    args = _parser().parse_args(list(argv))
    output: Output = args.datasets
    if not storage.exists(output.beside(OUTPUT_FILE)):
        raise InvalidOptions(f"--datasets {output}: no output of the jobs there")
    ring = keyring.load(args.key_ring)
    keys = step_keys_of(ring).signing
    if keys is None:
        raise KeyUnavailable(f"--key_ring {args.key_ring}: of version 1, it cannot sign; keys rotate lifts it")
    check_output(output, None, ring)
    is_begun = bool(last_number(output, OUTPUT_CHAIN))
    to_finish = is_begun and bool(keys.signer.retired) and not args.accept
    with claimed(output, to_finish=to_finish), claimed(output, claim_of(ACCEPTANCE), to_finish=to_finish):
        sweep_output(output)
        for line in _signed(args, ring, keys) if is_begun and not args.accept else _told(args, keys.signer):
            print(line)


def _told(args: argparse.Namespace, signer: Signer) -> Iterator[str]:
    return _accepted(args.datasets, signer, args.accept) if args.accept else _begun(args.datasets, signer)


def _signed(args: argparse.Namespace, ring: KeyRing, keys: SigningKeys) -> Iterator[str]:
    """Of an output that is signed: goes on under a new key, and signs what killed runs have left whole."""
    output: Output = args.datasets
    if keys.signer.retired:
        yield from _continued(args, ring, keys.signer)
    lines = settle(output, keys) if read_unfinished(output) is None else []
    if not lines and not keys.signer.retired:
        raise InvalidOptions(f"--datasets {output}: is signed already; pipelines.verify says whether it holds")
    yield from lines


def _continued(args: argparse.Namespace, ring: KeyRing, signer: Signer) -> Iterator[str]:
    output: Output = args.datasets
    witness = read_witness(args.witness, output)
    if args.witness and witness is None:
        raise InvalidOptions(f"--witness {args.witness}: no such file")
    for chain in continue_chains(output, ring, signer, Known(witness, args.expect, args.as_it_is)):
        yield f"chain {chain.name} goes on under the key {shown_key(signer.public_key)}, manifest {chain}"
    yield f"all chains are signed with {shown_key(signer.public_key)}, which is in {output.beside(PUBLIC_KEY_FILE)}"


def _begun(output: Output, signer: Signer) -> Iterator[str]:
    for chain, files, size_bytes in begin_signing(output, signer):
        yield f"chain {chain.name}: {files:,} files of {size_bytes / 1e6:,.1f} MB are signed, manifest {chain}"


def _accepted(output: Output, signer: Signer, manifests: Sequence[str]) -> Iterator[str]:
    for path in accept(output, signer, manifests):
        yield f"{path}: accepted as it was taken over"


if __name__ == "__main__":
    run_job(main)
