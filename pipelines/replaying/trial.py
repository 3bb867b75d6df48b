"""What would become of payloads now: through the code of the jobs, in memory, with nothing written."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pipelines.checking.fates import Fate, Place
from pipelines.checking.publishing import Published, Spans, published
from pipelines.checking.tracing import Examples, Numbered, Tracer
from schemas.known_values import Vocabulary
from schemas.manifests import Manifests
from transforms.core.batches import QUARANTINE
from transforms.core.blocks import Block
from transforms.core.keys.step_keys import StepKeys
from transforms.core.quarantine.opening import block_of
from transforms.core.quarantine.rows import Payload

_AT_ONCE = 512


@dataclass(frozen=True)
class TrialSettings:
    """What the job needs to know to decode and protect, and which spans join suggestions."""

    keys: StepKeys
    geo_database: str
    vocabulary: Vocabulary
    manifests: Manifests
    lookback: timedelta
    horizon: timedelta


class Trial:
    """Payloads are tried one after another; at its end it says what all of them would leave."""

    def __init__(self, settings: TrialSettings) -> None:
        self._spans = Spans(settings.lookback, settings.horizon)
        self._tracer = Tracer(
            settings.keys, settings.geo_database, settings.vocabulary, settings.manifests, Examples(math.inf)
        )
        self._fates: list[Fate] = []

    def refused(self, payloads: Iterable[Payload]) -> frozenset[str]:
        """Tries payloads; the `payload_id` of everything that would go aside again."""
        before = len(self._tracer.passed.get(QUARANTINE, ()))
        block = block_of(payloads)
        for at in range(0, len(block.lines), _AT_ONCE):
            self._trace([(Fate(_NOWHERE), (line, None, None)) for line in block.lines[at : at + _AT_ONCE]], True)
        for request in block.requests:
            events, frame = self._tracer.decoder.split(Block(requests=[request]))
            of_body = Fate(_NOWHERE)
            self._tracer.add_refused(of_body, frame.batches)
            self._fates += [of_body] if frame.events else []
            self._trace([(Fate(_NOWHERE), event) for event in events], False)
        aside = self._tracer.passed.get(QUARANTINE, [])[before:]
        return frozenset(name for passed in aside for name in passed.batch["payload_id"].to_pylist())

    def _trace(self, events: Sequence[Numbered], are_lines: bool) -> None:
        self._tracer.trace(list(events), are_lines=are_lines)
        self._fates += [fate for fate, _ in events]

    def published(self) -> Published:
        """The books of all that was tried, as if nothing else had been published."""
        return published(self._tracer, self._fates, self._spans)


_NOWHERE = Place("", 0)
"""Nobody is told where a payload stands: it is known by its `payload_id`."""
