"""What passes between a job's process and a worker, over a pipe of their own: no port is opened."""

from typing import NamedTuple


class Order(NamedTuple):
    """A bundle to be worked on: Beam's messages, serialized. Descriptors come with the first bundle of a stage."""

    descriptors: list[bytes]
    request: bytes
    elements: list[bytes]


class Done(NamedTuple):
    """What came of a bundle: Beam's response and the elements for the next stage, serialized."""

    response: bytes
    elements: list[bytes]
