"""Flags that all jobs have which change landed files."""

import argparse

from pipelines.options.wrapping import add_key_ring_flags
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.chains.chain import chain_to_append
from transforms.core.keys.open_ring import open_signing
from transforms.core.keys.step_keys import SigningKeys
from transforms.core.output.layout import OUTPUT_FILE, Output
from transforms.core.output.output_facts import signer_of


def add_change_flags(parser: argparse.ArgumentParser) -> None:
    """`--datasets`, and either `--dry_run` or the checksum that it printed."""
    parser.add_argument("--datasets", type=Output, required=True, metavar="PATH", help="The output of the jobs.")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--dry_run", action="store_true", help="Only print what would be changed, and its checksum.")
    how.add_argument("--checksum", metavar="CHECKSUM", help="Change what the dry run that printed it has named.")


def add_signing_flag(parser: argparse.ArgumentParser) -> None:
    """`--key_ring`, and what opens it, of a job that needs it for nothing but to sign."""
    told = "The ring that the output is written with; it signs what was changed, where the output is signed."
    add_key_ring_flags(parser.add_argument, told)


def keys_of_change(output: Output, key_ring: str | None, checksum: str | None) -> SigningKeys | None:
    """What signs the change; None where no ring is given, or it is of version 1.

    Raises as `signer_of` does, and KeyUnavailable before a change is made of an output that is signed, where the ring
    is missing.
    """
    signer = signer_of(output, key_ring)
    if checksum:
        chain_to_append(output, signer)
    return open_signing(key_ring) if key_ring and signer else None


def check_is_output(output: Output) -> None:
    """Raises InvalidOptions where `--datasets` is none of ours."""
    if not storage.exists(output.beside(OUTPUT_FILE)):
        raise InvalidOptions(f"--datasets {output}: no output of the jobs there")
