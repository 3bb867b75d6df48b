"""Byte mutations of containers: Avro of every codec, gzip, zstd; whatever comes, reading ends, in bounded memory.

    python -m tests.fuzz_containers --mutations 20000 --seed 7

A crash is an end by signal, so it runs in a process of its own (see the test). What
breaks is printed with its seed.
"""

import argparse
import gzip
import io
import json
import random
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import zstandard

from schemas.registry import raw_schemas
from tests.conftest import sample
from tests.fuzz import mutate
from transforms.core.reading.payloads import read_blocks

CODECS = ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"]
SLOWEST_S = 5.0


def containers() -> list[bytes]:
    """Valid files of a few KB each, of every codec and compression, one with fields of its writer's own."""
    line = json.dumps(sample()).encode()
    ours = raw_schemas()["raw_request.1"]
    extra = {"name": "extra", "type": {"type": "map", "values": ["null", {"type": "array", "items": "string"}]}}
    wider = {"type": "record", "name": "raw_request", "fields": [extra, *[dict(f) for f in ours["fields"]]]}
    found = []
    for codec in CODECS:
        for schema in (ours, wider):
            records = [_record(line, n) for n in range(8)]
            out = io.BytesIO()
            fastavro.writer(out, json.loads(json.dumps(schema, default=str)), records, codec, sync_interval=2000)
            found.append(out.getvalue())
    lines = b"".join(line.replace(b"1.0.0", b"1.0.%d" % n) + b"\n" for n in range(20))
    found += [
        gzip.compress(lines, mtime=0),
        gzip.compress(lines[:5000], mtime=0) + gzip.compress(lines[5000:], mtime=0),
    ]
    found += [zstandard.compress(lines), b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstandard.compress(lines)]
    found += [gzip.compress(found[0], mtime=0), lines.decode().encode("utf-16")]
    return found


def _record(line: bytes, number: int) -> dict[str, Any]:
    facts = {"received_at": datetime(2026, 3, 29, 10, number, tzinfo=UTC), "client_ip": "81.2.69.142"}
    facts |= {"telemetry_level": "all", "snippet_consent": True, "content_type": None, "content_encoding": None}
    return {**facts, "body": line, "extra": {"a": ["b"], "c": None}}


def fuzz(mutations: int, seed: int) -> Counter[str]:
    """Reads so many mutated files; AssertionError, with the seed and number, where one breaks or is slow."""
    rng, sources, found = random.Random(seed), containers(), Counter[str]()
    for number in range(mutations):
        data = mutate(rng, rng.choice(sources), sources)
        began = time.process_time()
        try:
            for block in read_blocks(lambda data=data: io.BytesIO(data), "memory"):
                found["lines"] += len(block.lines)
                found["requests"] += len(block.requests)
                found.update(str(part.reason) for part in block.unreadable)
                names = [part.identity for part in block.unreadable if not part.identity.startswith(b"line")]
                assert len(names) == len(set(names)), names
        except Exception as error:
            raise AssertionError(f"seed {seed}, mutation {number}: {data[:60]!r}…") from error
        assert time.process_time() - began < SLOWEST_S, f"seed {seed}, mutation {number} is slow"
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.monotonic()
    found = fuzz(args.mutations, args.seed)
    status = Path("/proc/self/status").read_text()  # getrusage tells of the process that started this one, too
    peak_mb = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    print(
        json.dumps(
            {"mutations": args.mutations, "seconds": round(time.monotonic() - began), "peak_mb": peak_mb, **found}
        )
    )


if __name__ == "__main__":
    main()
