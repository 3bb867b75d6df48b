"""Ingestion keys: which clients may send, and which level and consent each key stands for."""

import os
import re
import stat
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from schemas.errors import InvalidOptions

_TENANT = re.compile(r"[0-9a-f]{32}(-.*)?")
_ALLOWED = (
    'allowed is TOML or JSON as in [default] telemetry_level = "all", snippet_consent = false, '
    "and [keys.KEY] with the same members or none"
)


class Standing(NamedTuple):
    """What a key's events may be used for: all, error, crash or off; and whether code may be kept."""

    telemetry_level: str
    snippet_consent: bool


IngestionKeys = dict[str, Standing]
"""By key, as `plain_key` writes it. A key that is not there may send nothing."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    telemetry_level: Literal["all", "error", "crash", "off"] | None = None
    snippet_consent: bool | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: dict[str, _Entry]
    default: _Entry = msgspec.field(default_factory=_Entry)


def plain_key(key: str) -> str:
    """One spelling for all that mean one key.

    1DS clients are given `<32 hex>-<guid>-<number>` and send `o:<32 hex>`.
    """
    key = key.strip().lower().removeprefix("o:")
    return key[:32] if _TENANT.fullmatch(key) else key


def load_keys(path: str) -> IngestionKeys:
    """The keys of a file; what neither a key nor the default says is `off` and no consent.

    Raises InvalidOptions where the file is of another shape, or others than its owner's group may write it:
    whoever writes it decides about consent.
    """
    try:
        if os.stat(path).st_mode & stat.S_IWOTH:
            raise InvalidOptions(
                f"--ingestion_keys {path}: anybody may write it, and it decides about consent; chmod o-w"
            )
        text = Path(path).read_bytes()
        decode = msgspec.json.decode if path.endswith(".json") else msgspec.toml.decode
        found = decode(text, type=_File)
    except OSError as cause:
        raise InvalidOptions(f"--ingestion_keys {path}: {cause.strerror}") from None
    except msgspec.ValidationError as cause:
        raise InvalidOptions(f"--ingestion_keys {path}: {cause}; {_ALLOWED}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidOptions(f"--ingestion_keys {path}: neither TOML nor JSON; {_ALLOWED}") from None
    keys: IngestionKeys = {}
    for number, (key, entry) in enumerate(found.keys.items(), 1):
        if not plain_key(key) or plain_key(key) in keys:
            raise InvalidOptions(f"--ingestion_keys {path}: key {number} is empty or stands there before")
        keys[plain_key(key)] = _standing(entry, found.default)
    if not keys:
        raise InvalidOptions(f"--ingestion_keys {path}: no key; {_ALLOWED}")
    return keys


def _standing(entry: _Entry, default: _Entry) -> Standing:
    level = entry.telemetry_level or default.telemetry_level or "off"
    consent = entry.snippet_consent if entry.snippet_consent is not None else default.snippet_consent
    return Standing(level, bool(consent))
