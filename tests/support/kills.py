"""What scripts share that kill a job at random moments and compare the ends."""

import argparse
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transforms.core.output.layout import Output


def kill_flags(description: str | None, kills: int = 20) -> argparse.ArgumentParser:
    """How often to kill, and the seed of the moments; by chance where none is given."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    return parser


def asked_for(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The flags; prints the seed, with which the same moments come again."""
    args = parser.parse_args()
    print(f"seed {args.seed}")
    return args


def files_but(output: Output, *left_out: str) -> dict[str, bytes]:
    """Every file by its path, but those whose paths begin so, and the first beat of a holder that was killed before it
    had its claim: nobody knows that one's name.
    """
    root = Path(output.path)
    found = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if not name.startswith((*left_out, "_claim"))}


def check_same(found: Mapping[str, Any], expected: Mapping[str, Any], *told: object) -> None:
    """Raises AssertionError, with what is told and the names of what differs."""
    differing = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    assert not differing, (*told, differing)
