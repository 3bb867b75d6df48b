"""Keyed digests of ledger rows: who signs for a row knows by them that a worker with the same key ring wrote it."""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from transforms.core.keys.in_process import InProcess


class RowProof(InProcess):
    """The proofs under one ring's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, row: Mapping[str, Any]) -> str:
        """64 hex digits for a row as pyarrow gives it.

        Values that are null are left out, so that a row has the same proof when its dataset gets another column.
        """
        told = {name: value for name, value in row.items() if value is not None and name != "proof"}
        return hmac.digest(self._key, json.dumps(told, sort_keys=True, default=str).encode(), "sha256").hex()

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether the row bears the proof that it must have."""
        return hmac.compare_digest(self.of(row), row.get("proof") or "")
