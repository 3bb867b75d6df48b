"""Records of runs are signed one by one: each is written when its run has let the output go, by refused runs, too."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from pipelines.recording.record import RUNNING, Record
from schemas.errors import ExitCode
from transforms.core.chains.run_manifest import digest_of
from transforms.core.keys.signing import verify_signature
from transforms.core.output.layout import RUNS

_RECORD = re.compile(rf"{RUNS}/[0-9a-f-]{{36}}\.json")


def is_record(path: str) -> bool:
    """Whether a path in an output is that of a record."""
    return _RECORD.fullmatch(path) is not None


@dataclass(frozen=True)
class Trusted:
    """What records are held against: the public key of now, and digests, by path, of records of a key of before.

    Whoever has that key could write other records, so it is the link that vouches for these.
    """

    key: bytes
    digests: Mapping[str, str] = field(default_factory=dict)

    def vouches_for(self, path: str, data: bytes) -> bool | None:
        """Whether a record's file is as a run with the key has written it; else as `signed_by`."""
        return True if self.digests.get(path) == digest_of(data) else signed_by(data, self.key)


def signed_by(data: bytes, key: bytes) -> bool | None:
    """Whether the key has signed a record's file; False of a run that was refused and had no key.

    None where it is no record, is altered, or tells of a run that must have had a key.
    """
    try:
        record = msgspec.json.decode(data, type=Record)
        signature = base64.b64decode(record.signature or "", validate=True)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if record.content != data:
        return None
    if record.signature is None:
        return False if record.outcome not in (RUNNING, ExitCode.DONE.name.lower()) else None
    return True if verify_signature(key, record.signed_content, signature) else None


def begun_at(data: bytes) -> datetime:
    """When the run of a record began, as that tells; of one that `signed_by` has understood."""
    return msgspec.json.decode(data, type=Record).started_at
