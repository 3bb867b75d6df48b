"""Quarantine rows: payloads that could not be processed, sealed to the operators."""

import hmac
import io
from datetime import datetime
from typing import Any, NamedTuple

import fastavro
import pyarrow as pa

from schemas.errors import Reason
from schemas.registry import load, raw_schemas
from transforms.core.batches import QUARANTINE, EventBatch
from transforms.core.blocks import RawRequest, Unreadable
from transforms.core.carried import SLOT, slot_of
from transforms.core.keys.roles import STANDING
from transforms.core.keys.step_keys import QuarantineKeys


class Payload(NamedTuple):
    """One event's bytes, and the request they came in where that was not the line itself."""

    line: bytes
    request: RawRequest | None = None

    def replayable(self) -> tuple[str, bytes]:
        """Container and bytes that can go through the job again: a raw line, or a raw_request record."""
        if self.request is None:
            return "ndjson", self.line
        record: dict[str, Any] = self.request._asdict() | {"body": self.line}
        record["received_at"] = datetime.fromisoformat(self.request.received_at)
        out = io.BytesIO()
        fastavro.schemaless_writer(out, raw_schemas()["raw_request.1"], record)
        return "avro", out.getvalue()


class Refusal(NamedTuple):
    """Why a payload is refused; the field that is wrong and what it must be, in words of the contract."""

    reason: Reason
    field: str | None = None
    expected: str | None = None


class Quarantine:
    """Gathers rows of the quarantine dataset; made in `setup`, because it holds keys."""

    def __init__(self, keys: QuarantineKeys, slots: int) -> None:
        self._keys = keys
        self._slots = slots
        self._rows: list[dict[str, Any]] = []

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def add(
        self,
        payload: Payload,
        refusal: Refusal,
        received_at: datetime | None,
        *,
        keep_body: bool,
        stage: str = "DecodeEvents",
        dataset: str | None = None,
        is_primary: bool = True,
    ) -> None:
        """Adds a payload. `keep_body` is False where it is too large or its user did not permit all of it.

        `is_primary` is False where the event itself landed, and only its row in another dataset did not.
        """
        container, body = payload.replayable()
        sealed = self._keys.seal(body) if keep_body else None
        self._append(
            container, body, len(payload.line), refusal, received_at=received_at, stage=stage, dataset=dataset,
            body=sealed, body_key_id=None if sealed is None else STANDING, is_primary=is_primary,
        )  # fmt: skip

    def add_unreadable(self, part: Unreadable) -> None:
        """Adds a part of a file that has no bytes to keep."""
        self._append(
            "file", part.identity, part.payload_bytes, Refusal(part.reason), stage="ReadPayloads", is_primary=True
        )

    def _append(self, container: str, identity: bytes, size: int, refusal: Refusal, **more: Any) -> None:
        digest = hmac.digest(self._keys.payload_key, identity, "sha256")
        self._rows.append(
            {
                SLOT: slot_of(digest, self._slots),
                "payload_id": digest[:16].hex(),
                "reason": str(refusal.reason),
                "field": refusal.field,
                "expected": refusal.expected,
                "container": container,
                "payload_bytes": size,
                **more,
            }
        )

    def drain(self) -> EventBatch | None:
        """The rows so far, protected and ready to be sealed; the collection is empty after it."""
        if not self._rows:
            return None
        rows, self._rows = self._rows, []
        return EventBatch(QUARANTINE, pa.RecordBatch.from_pylist(rows, schema=load(QUARANTINE).sealed_arrow))
