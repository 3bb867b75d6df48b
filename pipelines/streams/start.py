"""Where the endless job begins: what its output says, else what its source holds."""

import sys
import time
from typing import Any

from pipelines.streams.resume import check_topic_is_the_same, resume
from schemas.errors import UnbalancedBooks
from transforms.core import storage
from transforms.core.chains.run_signing import Signing
from transforms.core.output import stream_state
from transforms.core.output.stream_state import StreamState
from transforms.core.reading.kafka.admin import TopicAdmin, load_config
from transforms.core.reading.open_log import kafka_parts, stream_digest


def begin(options: Any, signing: Signing | None = None) -> StreamState:
    """The state to go on from, saved; files of windows that were not whole are gone.

    Raises InvalidOptions where the topic is missing or not stamped by the broker;
    SourceUnavailable where it is another one than was read, or no longer holds
    what is to be read next, and no flag says how to go on.
    """
    admin = topic_admin(options)
    if admin is not None:
        admin.check_topic()
    stream, line = stream_digest(options.input), None
    state = stream_state.load(options.output, stream) or stream_state.recover(options.output, stream)
    if state is None:
        state = _fresh(options, stream, admin)
    else:
        if admin is not None:
            check_topic_is_the_same(state, admin, options.start)
        try:
            stream_state.advance(state)
        except UnbalancedBooks as found:
            print(f"reading again what was not whole: {found}", file=sys.stderr)
        if admin is not None:
            line = resume(state, admin, options.start)
        else:
            there = {file.part for file in storage.list_tree(options.input)}
            state.positions = {part: size for part, size in state.positions.items() if part in there}
        stream_state.remove_unfinished(state, signing.proof if signing else None)
    state.save()
    if line is not None:
        print(line, file=sys.stderr, flush=True)
    return state


def topic_admin(options: Any) -> TopicAdmin | None:
    """For questions about the topic; None where the input is a folder."""
    parts = kafka_parts(options.input)
    return TopicAdmin(*parts, load_config(options.kafka_config)) if parts else None


def _fresh(options: Any, stream: str, admin: TopicAdmin | None) -> StreamState:
    """The boundary before the first message that will be read, or before now."""
    interval_s = int(options.publish_interval.total_seconds())
    state = StreamState(options.output, stream, 0)
    first_ms = None
    if admin is not None:
        offsets = admin.end_offsets() if options.start == "latest" else admin.begin_offsets()
        first_ms = admin.first_time_ms(offsets)
        state.positions = {str(partition): offset for partition, offset in offsets.items()}
        state.identity = admin.identity()
    first_s = int(time.time()) if first_ms is None else first_ms // 1000
    state.whole_to_s = first_s // interval_s * interval_s
    return state
