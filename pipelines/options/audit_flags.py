"""Flags of commands that read what only a private key opens: what for, and where the line about it goes."""

import argparse
from typing import Any

from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.audit.reading import PURPOSE_ALLOWED, check_purpose
from transforms.core.audit.trail import AUDIT_FOLDER
from transforms.core.output.layout import Output


def purpose(text: str) -> str:
    """An argparse type; tells what is allowed, and not what was given, as that may name a person."""
    try:
        return check_purpose(text)
    except InvalidOptions as cause:
        raise argparse.ArgumentTypeError(str(cause)) from None


def add_audit_flags(parser: Any, *, required: bool = True) -> None:
    """`--purpose` and `--audit_log`."""
    parser.add_argument("--purpose", type=purpose, required=required, metavar="TEXT",
                        help=f"What this reading is for. It stands in the audit trail for good: "
                        f"{PURPOSE_ALLOWED.replace('%', '%%')}.")  # fmt: skip
    add_audit_log(parser)


def add_audit_log(parser: Any) -> None:
    """`--audit_log` alone."""
    parser.add_argument("--audit_log", metavar="PATH",
                        help=f"Folder of the audit trail, local or a gs:// or s3:// URL. Default: {AUDIT_FOLDER} in "
                        "the output.")  # fmt: skip


def trail_of(output: Output, given: str | None) -> str:
    """Where the trail of readings of an output lies."""
    return given or storage.join(output.path, AUDIT_FOLDER)
