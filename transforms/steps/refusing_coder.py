"""The coder of everything that is not sealed: it refuses to encode.

Beam encodes an element only to move it between stages. Unprotected payloads,
batches and curated rows live inside one fused stage; where a runner would break
the stage and write them down in clear, the job fails instead.
"""

from typing import NoReturn

from apache_beam import coders
from apache_beam.coders.coder_impl import CallbackCoderImpl

from transforms.core.batches import EventBatch
from transforms.core.blocks import Block
from transforms.core.curating.curate import CuratedBucket


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} must not leave the stage that makes it: only sealed pieces do")


def _size(_: object) -> int:
    """Beam samples sizes for its counters by encoding; one constant instead."""
    return 1


class RefusingCoder(coders.Coder):
    """Refuses to encode or decode; see the module."""

    def encode(self, value: object) -> NoReturn:
        """Raises TypeError."""
        _refuse(value)

    def decode(self, encoded: bytes) -> NoReturn:
        """Raises TypeError: nothing was ever encoded."""
        _refuse(encoded)

    def _create_impl(self) -> CallbackCoderImpl:
        return CallbackCoderImpl(_refuse, _refuse, _size)

    def is_deterministic(self) -> bool:
        """Nothing is ever encoded."""
        return True

    def to_type_hint(self) -> type:
        """Any of the guarded types."""
        return object


def register() -> None:
    """Gives the guarded types this coder; called where the package of steps is imported."""
    for kind in (Block, EventBatch, CuratedBucket):
        coders.registry.register_coder(kind, RefusingCoder)
