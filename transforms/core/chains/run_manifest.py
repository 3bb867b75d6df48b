"""Run manifests: what a run, a window or a change put into an output and what it took out, signed.

A file of two lines. The first one is the manifest, the second one tells the public key and the signature of exactly the
bytes of the first. Each manifest holds the digest of the one before it, so together they are a chain: what must lie in
an output follows from all of them, and nobody without the signing key can write another chain.
It holds paths, sizes, counts and digests of whole files, and no value of a row.
"""

import base64
import hashlib
import json
import re
from datetime import date, datetime
from typing import Any

import msgspec

from transforms.core.keys.public_key import shown_key
from transforms.core.keys.signing import Signer, verify_signature

VERSION = 1
_PURPOSE = b"suggestion-telemetry run manifest 1\n"
"""Signed before the manifest, so that a signature made for something else is none of a manifest's."""

MOST_BYTES = 512 * 1024 * 1024
"""A manifest of two million files. A larger one is not read."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_PATH_CHARS = 1024


class PutFile(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A file as it was put: its path in the output, and what it held. `rows` is None for what is no dataset's file."""

    path: str
    size_bytes: int
    rows: int | None
    sha256: str


class RunManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One link of a chain. `before` is the digest of the file of the manifest before it, empty in the first one.

    `output` is the number by chance that the output got with its first manifest. `streams` tells of each stream up to
    which second since 1970 its windows are in the chain; it is handed on from manifest to manifest. `books` are those
    of the run or window, maps sorted by key. `facts` are counts that only this kind of manifest has.
    """

    version: int = VERSION
    output: str
    chain: str
    number: int
    before: str
    kind: str
    input: str = ""
    made_at: datetime
    software: str
    contract: str
    key_ids: list[str] = []
    geo_database_date: date | None = None
    books: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    streams: dict[str, int] = {}
    put: list[PutFile] = []
    removed: list[str] = []


class _Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    signature: str


class Unsound(Exception):
    """What is wrong with a manifest's file, in a few words for people; never leaves what reads manifests."""


class OtherKey(Unsound):
    """A manifest that bears another public key than it must. Nothing of it was looked at."""

    def __init__(self, key: bytes, public_key: bytes) -> None:
        super().__init__(f"it is signed with another key ({shown_key(key)}) than {shown_key(public_key)}")
        self.key = key


_decode = msgspec.json.Decoder(RunManifest).decode
_decode_signature = msgspec.json.Decoder(_Signature).decode


def digest_of(data: bytes) -> str:
    """What manifests say of a file's bytes, and the next manifest of this one's."""
    return hashlib.sha256(data).hexdigest()


def signed(manifest: RunManifest, signer: Signer) -> bytes:
    """The content of a manifest's file."""
    body = msgspec.json.encode(manifest)
    return body + b"\n" + _signature_line(signer.public_key, signer.sign(_PURPOSE + body))


def _signature_line(key: bytes, signature: bytes) -> bytes:
    texts = _Signature(base64.b64encode(key).decode(), base64.b64encode(signature).decode())
    return msgspec.json.encode(texts) + b"\n"


def read_signed(data: bytes, public_key: bytes) -> RunManifest:
    """The manifest of a file's content; raises Unsound, OtherKey.

    Nothing of a manifest is believed before its signature is checked against the key.
    """
    body, newline, rest = data.partition(b"\n")
    key, signature = _signature_of(rest)
    if not newline or rest != _signature_line(key, signature):
        raise Unsound("it is damaged: its last line is no signature as this program writes it")
    if key != public_key:
        raise OtherKey(key, public_key)
    if not verify_signature(key, _PURPOSE + body, signature):
        raise Unsound("its signature does not fit: it was altered or forged")
    return _manifest_of(body)


def key_of(data: bytes) -> bytes:
    """The public key that a manifest's file bears, which says nothing yet; raises Unsound."""
    return _signature_of(data.partition(b"\n")[2])[0]


def _signature_of(line: bytes) -> tuple[bytes, bytes]:
    try:
        told = _decode_signature(line)
        return base64.b64decode(told.key, validate=True), base64.b64decode(told.signature, validate=True)
    except (msgspec.MsgspecError, ValueError):
        raise Unsound("it is damaged: its last line is no signature as this program writes it") from None


def _manifest_of(body: bytes) -> RunManifest:
    try:
        manifest = _decode(body)
    except (msgspec.MsgspecError, RecursionError):
        raise Unsound(f"it is of version {_version_of(body)}; this program reads version {VERSION}") from None
    if manifest.version != VERSION:
        raise Unsound(f"it is of version {manifest.version}; this program reads version {VERSION}")
    for file in manifest.put:
        if not is_path(file.path) or file.size_bytes < 0 or not _DIGEST.fullmatch(file.sha256):
            raise Unsound("it names a file in a way that this program does not")
    return manifest


def _version_of(body: bytes) -> str:
    try:
        version = json.loads(body)["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unknown"
    return str(version) if type(version) is int else "unknown"


def is_path(path: str) -> bool:
    """Whether a text is a path in an output that can be no path out of it."""
    return 0 < len(path) <= _MOST_PATH_CHARS and all(part not in ("", ".", "..") for part in path.split("/"))
