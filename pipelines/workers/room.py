"""How much memory a worker takes, and how many buckets an input gets.

A worker reads in bounded memory: a block at a time, and at most 64 MB of rows that wait to be sealed. After the
shuffle it holds one bucket's rows at a time: that grows with the input, and falls with the number of buckets.
"""

from collections.abc import Sequence

from transforms.core.ranges import Range

READING_BYTES = 512 * 1024 * 1024
"""Measured: 420 to 450 MB, of which 200 are modules that workers share."""

_OF_A_BUCKET = 0.8
"""Bytes of memory for each byte of a bucket's payloads. Measured: 0.7, where all 777,000 rows of 2.4 GB are in one."""

_PACKED = (".gz", ".zst", ".avro")
_UNPACKED_TIMES = 8
_MOST_BUCKETS = 9999
_MOST_POWER_OF_TWO = 8192


def worker_bytes(ranges: Sequence[Range], buckets: int) -> int:
    """About how many bytes of memory one worker takes at most for this input."""
    return READING_BYTES + int(_payload_bytes(ranges) / buckets * _OF_A_BUCKET)


_OF_A_FILE_BYTES = 256 * 1024 * 1024
"""Payloads of a bucket up to which it is not halved. They take 0.2 GB of memory beside what reading takes anyway, and a
second of work that no other core can share; and files that are half as large help no reader."""


def fitting_buckets(ranges: Sequence[Range]) -> int:
    """How many buckets an input gets: a power of two, so that those of two inputs have whole buckets in common.

    It follows from names and sizes alone, so that an input that is run again gets as many.
    """
    wanted = -(-_payload_bytes(ranges) // _OF_A_FILE_BYTES)
    return int(min(1 << max(wanted - 1, 0).bit_length(), _MOST_POWER_OF_TWO))


def advice(ranges: Sequence[Range], buckets: int, memory_bytes: int) -> str | None:
    """One line where a single worker would need more memory than there is, with the number of buckets that fit."""
    needs_bytes = worker_bytes(ranges, buckets)
    if needs_bytes <= memory_bytes:
        return None
    room_bytes = max(memory_bytes // 2 - READING_BYTES, 1)
    fitting = min(int(_payload_bytes(ranges) * _OF_A_BUCKET / room_bytes) + 1, _MOST_BUCKETS)
    return (
        f"--buckets {buckets}: a bucket of this input takes about {_gb(needs_bytes)} GB of memory, and there are "
        f"{_gb(memory_bytes)} GB; give the input in parts, or begin another --output with --buckets {fitting}"
    )


def _payload_bytes(ranges: Sequence[Range]) -> int:
    """As far as names tell it before anything is read."""
    return sum(part.stored_bytes * (_UNPACKED_TIMES if part.path.endswith(_PACKED) else 1) for part in ranges)


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f}"
