"""Blocks put together, to compare what came of a whole input however it was cut."""

from collections.abc import Iterable

from transforms.core.blocks import Block


def joined(blocks: Iterable[Block]) -> Block:
    """Lines, requests and unreadable parts of all blocks, in order."""
    whole = Block()
    for block in blocks:
        whole.lines += block.lines
        whole.requests += block.requests
        whole.unreadable += block.unreadable
    return whole
