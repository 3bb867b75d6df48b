"""Going on in a topic where an output left off: is it the same topic, and does it still hold what comes next?"""

from schemas.errors import MessagesLost, TopicReplaced
from transforms.core.output.stream_state import StreamState
from transforms.core.reading.kafka.admin import TopicAdmin
from transforms.core.topic_identity import (
    EARLIEST_LEFT,
    NEW_TOPIC,
    TopicIdentity,
    generations,
    part_name,
    partition_of,
)

_NAMELESS = "new"  # of brokers that give topics no ids
_AGAIN = "."


def check_topic_is_the_same(state: StreamState, admin: TopicAdmin, start: str) -> None:
    """Raises TopicReplaced where the topic is another one than the state tells, and is not declared to be new."""
    if start != "new_topic":
        admin.check_is(state.identity)


def resume(state: StreamState, admin: TopicAdmin, start: str) -> str | None:
    """Makes the state go on in the topic as it is now: its ids, its partitions, gaps that are declared.

    Returns the line to show, once the state is saved, where something is lost.

    A state that was made from the ledger alone, or by an older version, knows no
    ids: then what it says of positions must fit the topic. Raises
    TopicReplaced where it does not, MessagesLost where retention took what
    comes next, and no flag says how to go on.
    """
    found = admin.identity()
    if state.identity == TopicIdentity():
        _recall_generation(state, admin, found, start)
    is_new = _differs(state.identity, found)
    begins, ends = admin.begin_offsets(), admin.end_offsets()
    positions = {p: o for p, o in state.positions.items() if generations([p]) == {state.generation}}
    if not is_new:
        misfit = _misfit(positions, begins, ends)
        is_new = misfit is not None and start == "new_topic"
        if misfit is not None and not is_new:
            raise MessagesLost(f"topic {admin.topic}: {misfit}; it was made anew, or its log was cut: {NEW_TOPIC}")
    if is_new:
        line: str | None = _begin_new_topic(state, admin, found, begins)
    else:
        state.positions = positions
        line = _declare_gaps(state, admin, begins, start)
    state.identity = found
    return line


def _differs(kept: TopicIdentity, found: TopicIdentity) -> bool:
    return any(a and b and a != b for a, b in zip(kept, found, strict=True))


def _recall_generation(state: StreamState, admin: TopicAdmin, found: TopicIdentity, start: str) -> None:
    """The ledger names partitions of a topic that was made anew by its id; which of them the topic now is."""
    known = generations(state.positions)
    ours = [name for name in known if name.partition(_AGAIN)[0] == (found.topic_id or _NAMELESS)]
    if ours:
        state.generation = max(ours)
    elif known - {""} and start != "new_topic":
        raise TopicReplaced(
            f"topic {admin.topic} is none of those that this output has read (its id is {found.topic_id}): {NEW_TOPIC}"
        )
    elif known - {""}:
        state.identity = TopicIdentity(None, max(known))


def _misfit(positions: dict[str, int], begins: dict[int, int], ends: dict[int, int]) -> str | None:
    """What of the positions cannot be of this topic."""
    for part, offset in sorted(positions.items()):
        partition = partition_of(part)
        if partition not in begins:
            return f"partition {partition} was read up to {offset} and is no longer there"
        if offset > ends[partition]:
            return f"partition {partition} was read up to {offset} and ends at {ends[partition]}"
    return None


def _begin_new_topic(state: StreamState, admin: TopicAdmin, found: TopicIdentity, begins: dict[int, int]) -> str:
    begun = found.topic_id or _NAMELESS
    is_again = begun in (state.generation.partition(_AGAIN)[0], state.identity.topic_id)
    state.generation = f"{begun}{_AGAIN}{state.whole_to_s}" if is_again else begun
    state.positions = {part_name(p, state.generation): offset for p, offset in begins.items()}
    state.gaps = {}
    return f"topic {admin.topic} is new and read from its beginning; what the old one held and was not read is lost"


def _declare_gaps(state: StreamState, admin: TopicAdmin, begins: dict[int, int], start: str) -> str | None:
    """Spans that retention took before they were read; raises MessagesLost where nobody said that they may go."""
    gaps = {}
    for partition, begin in begins.items():
        part = part_name(partition, state.generation)
        position = state.positions.get(part)
        if position is not None and max(position, state.gaps.get(part, 0)) < begin:
            gaps[part] = begin
    if not gaps:
        return None
    lost = sum(end - state.positions[part] for part, end in gaps.items())
    where = f"topic {admin.topic}: {lost:,} messages of {len(gaps)} partitions"
    if start != "earliest_left":
        raise MessagesLost(f"{where} were removed by retention before they were read: {EARLIEST_LEFT}")
    state.gaps |= gaps
    return f"{where} are lost, removed by retention before they were read; the ledger counts them"
