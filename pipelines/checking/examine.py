"""Files -> the fate of each of their events, in the order of the input."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from pipelines.checking.fates import Fate, Place, Verdict
from pipelines.checking.hints import hint_for
from pipelines.checking.names import name_of, unread_members
from pipelines.checking.numbered import NumberedBlock, numbered_blocks
from pipelines.checking.publishing import Published, Spans, published
from pipelines.checking.throwaway import throwaway_keys
from pipelines.checking.tracing import Examples, Numbered, Tracer
from schemas.errors import Reason
from schemas.known_values import Vocabulary
from schemas.manifests import Manifests
from schemas.registry import EXTENSION_EVENTS
from transforms.core.blocks import Block
from transforms.core.decoding.envelopes import decode_event, wire_name
from transforms.core.decoding.event_names import counted_names
from transforms.core.storage.source_files import SourceFile


@dataclass(frozen=True)
class CheckSettings:
    """What is asked of a check. `explained` is the line or record of the input's file of that name, as in a Place."""

    lookback: timedelta
    horizon: timedelta
    geo_database: str
    vocabulary: Vocabulary
    manifests: Manifests
    examples: float
    most_events: int
    explained: tuple[str, int] | None = None


@dataclass
class Checked:
    """The fates in the order of the input, and what they come to; `is_cut`: there may be more events than were read."""

    fates: list[Fate]
    published: Published
    is_cut: bool


def examine(files: Iterable[SourceFile], settings: CheckSettings) -> Checked:
    """Reads and traces at most `most_events` events, and those of the block in which that many are reached.

    Raises StorageUnavailable where a file cannot be read.
    """
    examples = Examples(settings.examples)
    tracer = Tracer(throwaway_keys(), settings.geo_database, settings.vocabulary, settings.manifests, examples)
    fates: list[Fate] = []
    is_cut = False
    for file, block, first in _blocks(files):
        if len(fates) >= settings.most_events:
            is_cut = True
            break
        room = settings.most_events - len(fates)
        is_cut = _trace(file.path, block, first, tracer, fates, settings, room) or is_cut
    spans = Spans(settings.lookback, settings.horizon)
    return Checked(sorted(fates, key=lambda fate: _order(fate.place)), published(tracer, fates, spans), is_cut)


def _order(place: Place) -> tuple[str, float, int]:
    return place.file, place.number or float("inf"), place.within or 0


def _blocks(files: Iterable[SourceFile]) -> Iterator[tuple[SourceFile, Block, int]]:
    """Each block, and the number of its first record."""
    for file in files:
        first = 1
        for block in numbered_blocks(file):
            yield file, block, first
            first += len(block.requests)


def _trace(
    path: str, block: Block, first: int, tracer: Tracer, fates: list[Fate], settings: CheckSettings, room: int
) -> bool:
    """Traces a block's events, as many as there is room for; True where some were left out."""
    numbers = block.line_numbers if isinstance(block, NumberedBlock) else []
    lines: list[Numbered] = [
        (Fate(Place(path, number)), (line, None, None)) for number, line in zip(numbers, block.lines, strict=True)
    ]
    _all_of(lines[:room], tracer, settings, are_lines=True)
    fates += [fate for fate, _ in lines[:room]]
    room -= len(lines)
    events: list[Numbered] = []
    for number, request in enumerate(block.requests, first):
        if len(events) >= room:
            break
        of_request, frame = tracer.decoder.split(Block(requests=[request]))
        is_alone = len(of_request) == 1
        events += [(Fate(Place(path, number, None if is_alone else i)), e) for i, e in enumerate(of_request)]
        of_body = Fate(Place(path, number))
        tracer.add_refused(of_body, frame.batches)
        if frame.events:
            of_body.hint = hint_for(of_body, None)
            fates.append(of_body)
    _all_of(events, tracer, settings, are_lines=False)
    fates += [fate for fate, _ in events]
    _trace_unreadable(path, block, tracer, fates)
    return room < 0 or len(events) > room > 0


def _all_of(events: list[Numbered], tracer: Tracer, settings: CheckSettings, *, are_lines: bool) -> None:
    explained = [pair for pair in events if _is_explained(pair[0].place, settings)]
    for pair in explained:
        tracer.trace([pair], are_lines=are_lines)
    rest = [pair for pair in events if not _is_explained(pair[0].place, settings)] if explained else events
    if rest:
        tracer.trace(rest, are_lines=are_lines)
    counted_name = counted_names(settings.vocabulary)
    for fate, event in events:
        line, _, stamp = event
        fate.hint = hint_for(fate, event)
        if fate.key == Reason.UNPROCESSABLE:
            continue  # what failed on it would fail again
        fate.name = name_of(line, counted_name, settings.manifests, is_stamped=stamp is not None)
        unread = unread_members(line, fate.datasets, settings.manifests)
        fate.unread_count = len(unread)
        fate.is_declared = EXTENSION_EVENTS in fate.datasets
        if _is_explained(fate.place, settings) or fate.is_declared:
            fate.unread = unread
        if fate.verdict is Verdict.OUTSIDE_CONTRACT and (settings.manifests or _is_explained(fate.place, settings)):
            fate.unread = [f"event {wire_name(decode_event(line, is_stamped=stamp is not None))}"]


def _trace_unreadable(path: str, block: Block, tracer: Tracer, fates: list[Fate]) -> None:
    numbers = block.unreadable_numbers if isinstance(block, NumberedBlock) else []
    for place, part in enumerate(block.unreadable):
        fate = Fate(Place(path, numbers[place] if place < len(numbers) else 0))
        _, frame = tracer.decoder.split(Block(unreadable=[part]))
        tracer.add_refused(fate, frame.batches)
        fate.hint = hint_for(fate, None)
        fates.append(fate)


def _is_explained(place: Place, settings: CheckSettings) -> bool:
    return settings.explained == (place.file, place.number)
