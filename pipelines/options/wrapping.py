"""The flags of jobs that open a key ring: which one, and what opens it where it is wrapped."""

import argparse
from collections.abc import Callable
from typing import Any

from schemas.errors import KeyUnavailable
from transforms.core.keys.wrapping_keys import VARIABLE, use_wrapping_key


def add_key_ring_flags(add: Callable[..., Any], told: str, *, required: bool = False) -> None:
    """Adds --key_ring, with what its help tells, and --wrapping_key: no job has the one without the other."""
    add("--key_ring", required=required, metavar="DIR", help=told)
    add_wrapping_key_flag(add)


def add_wrapping_key_flag(add: Callable[..., Any]) -> None:
    """Adds --wrapping_key alone, for commands that open key files. What it names goes into the environment of this
    process, and so to the workers that it starts; a job without the flag takes what is there.
    """
    add("--wrapping_key", type=_place, metavar="WHERE",
        help="What opens a key ring or key file that `keys wrap` wrapped: path or URL of an age identity, or "
        f"command:PROGRAM. Default: the environment variable {VARIABLE}.")  # fmt: skip


def _place(where: str) -> str:
    try:
        return use_wrapping_key(where)
    except KeyUnavailable as cause:
        raise argparse.ArgumentTypeError(str(cause)) from None
