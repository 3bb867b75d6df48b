"""Keys from elsewhere that wrap the data key of a key file: an age identity, or a program that asks a KMS.

Where such a key is stands in a flag or in the environment, never the key itself, and never in the file that it wraps:
who could write that file would choose which program runs.
"""

import base64
import os
import subprocess

import pyrage

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.storage.secret_files import check_not_writable, read_secret

VARIABLE = "SUGGESTION_TELEMETRY_WRAPPING_KEY"
"""Where jobs and their workers look; children of a process have it from their parent."""

COMMAND = "command:"
_AGE_KEY = "AGE-SECRET-KEY-"
_TIMEOUT_S = 60


def place_of(where: str) -> str:
    """Where a wrapping key is, as any folder finds it.

    Raises KeyUnavailable where it is the key itself: a flag is seen by everybody who lists processes.
    """
    if where.upper().startswith(_AGE_KEY):
        raise KeyUnavailable("this is a key itself: allowed are the path or URL of its file, and command:PROGRAM")
    if where.startswith(COMMAND):
        return COMMAND + storage.absolute(where.removeprefix(COMMAND))
    return storage.absolute(where)


def use_wrapping_key(where: str) -> str:
    """Tells this process and those that it starts where the wrapping key is; returns `place_of` it, or raises so."""
    place = place_of(where)
    os.environ[VARIABLE] = place
    return place


def wrap(where: str, data_key: bytes) -> str:
    """The data key as only the wrapping key opens it, as text; raises KeyUnavailable."""
    if where.startswith(COMMAND):
        return _run(where.removeprefix(COMMAND), "wrap", base64.b64encode(data_key).decode())
    recipients = [identity.to_public() for identity in _identities(where)]
    return base64.b64encode(pyrage.encrypt(data_key, recipients)).decode()


def unwrap(where: str, wrapped: str) -> bytes:
    """The inverse of `wrap`; raises KeyUnavailable, with nothing of either key, where it does not open."""
    try:
        if where.startswith(COMMAND):
            return base64.b64decode(_run(where.removeprefix(COMMAND), "unwrap", wrapped), validate=True)
        return _opened(where, base64.b64decode(wrapped, validate=True))
    except ValueError:  # no base64
        raise KeyUnavailable(f"what the wrapping key {where} gave is no key in base64") from None


def _opened(where: str, wrapped: bytes) -> bytes:
    try:
        return pyrage.decrypt(wrapped, _identities(where))
    except pyrage.DecryptError:
        raise KeyUnavailable(f"the wrapping key {where} does not open this file: it was wrapped by another") from None


def _identities(where: str) -> list[pyrage.x25519.Identity]:
    """The X25519 identities in a file as age-keygen writes it."""
    if not storage.exists(where):
        raise KeyUnavailable(f"no wrapping key at {where}: age-keygen -o FILE makes one")
    text = read_secret(where, "wrapping key").decode("ascii", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise KeyUnavailable(f"{where} is no file of age identities: allowed are lines of {_AGE_KEY}1..., and comments")
    return found


def _run(program: str, order: str, text: str) -> str:
    """What the program prints when it is given the text; its own error lines go to this process's."""
    check_not_writable(program, "program of the wrapping key")
    try:
        done = subprocess.run(
            [program, order], input=text, stdout=subprocess.PIPE, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, UnicodeError) as cause:
        raise KeyUnavailable(f"{program} {order}: {type(cause).__name__}; allowed is a program") from None
    except subprocess.TimeoutExpired:
        raise KeyUnavailable(f"{program} {order}: no answer within {_TIMEOUT_S} s") from None
    if done.returncode or not done.stdout.strip():
        raise KeyUnavailable(f"{program} {order}: ended with exit code {done.returncode} and gave no key")
    return done.stdout.strip()
