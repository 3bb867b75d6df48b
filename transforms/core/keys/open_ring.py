"""Opens a ring for a step: each function gives one step's part of it, and nothing gives a step the whole ring.

A file is read each time, and who may write it is looked at each time; what it holds is parsed, checked and derived
from once a process. Its content decides, not its time or size: a ring that was rotated between two runs of a process
is seen, also where it was changed twice within a tick of the clock. A ring in an object store is fetched once a
process, and again when the next run begins; it stays in memory, and no copy of it is written anywhere.
"""

import threading
from hashlib import blake2b

from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.seal import PieceSealer
from transforms.core.keys.signing import Signer
from transforms.core.keys.step_keys import (
    LandingKeys,
    PseudonymKeys,
    QuarantineKeys,
    RoleKeys,
    SigningKeys,
    StepKeys,
    step_keys_of,
)

_MOST_RINGS = 4
_opened: dict[bytes, StepKeys] = {}
_lock = threading.Lock()


def open_sealer(key_ring: str) -> PieceSealer:
    """For SealBatches and CurateEvents; raises KeyUnavailable as `keyring.load` does."""
    return _open(key_ring).sealer()


def open_pseudonyms(key_ring: str) -> PseudonymKeys:
    """For ProtectEvents; raises KeyUnavailable as `keyring.load` does."""
    return _open(key_ring).pseudonyms


def open_quarantine(key_ring: str) -> QuarantineKeys:
    """For DecodeEvents and ProtectEvents; raises KeyUnavailable as `keyring.load` does."""
    return _open(key_ring).quarantine


def open_roles(key_ring: str) -> RoleKeys:
    """For WriteDatasets; raises KeyUnavailable as `keyring.load` does."""
    return _open(key_ring).roles


def open_erased_key(key_ring: str) -> bytes:
    """For CurateEvents: the key of digests of what was erased. Raises KeyUnavailable as `keyring.load` does."""
    return _open(key_ring).erased_key


def open_landing(key_ring: str) -> LandingKeys:
    """For CurateEvents and WriteDatasets; raises KeyUnavailable as `keyring.load` does."""
    return _open(key_ring).landing


def open_signer(key_ring: str) -> Signer | None:
    """What signs an output's manifests; None where the ring is of version 1. Raises as `keyring.load` does."""
    return _open(key_ring).signer


def open_row_proof(key_ring: str) -> RowProof:
    """For WriteDatasets, and for who signs what it wrote; raises KeyUnavailable as `keyring.load` does."""
    return _open(key_ring).row_proof


def open_signing(key_ring: str) -> SigningKeys | None:
    """For jobs that change landed files; None where the ring is of version 1. Raises as `keyring.load` does."""
    return _open(key_ring).signing


def _open(key_ring: str) -> StepKeys:
    data = keyring.read(key_ring) if storage.is_local(key_ring) else _fetched(key_ring)
    digest = blake2b(data).digest()
    with _lock:  # the threads of a runner set their steps up at once: the first one parses, the others wait
        if digest not in _opened:
            while len(_opened) >= _MOST_RINGS:
                del _opened[next(iter(_opened))]
            _opened[digest] = step_keys_of(keyring.parse(data, key_ring))
        return _opened[digest]


def _fetched(key_ring: str) -> bytes:
    return storage.fetched_once("key ring", key_ring, keyring.read)
