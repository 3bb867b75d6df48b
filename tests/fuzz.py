"""Byte mutations of bodies that real clients sent: whatever comes, the books balance and nothing breaks.

    make fuzz                                   200,000 mutations, some minutes
    python -m tests.fuzz --mutations 5000 --seed 7

Each mutated body goes through decoding, protection, sealing, curation and joining, in
blocks of 100, as in the job. A block that breaks is cut down to the one body
that breaks it, which is printed.
"""

import argparse
import base64
import gzip
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from pipelines.ingest_options import default_geo_database
from tests.conftest import DATA, KEY_RING, nothing_recent
from transforms.core import keyring
from transforms.core.batches import COUNTS, QUARANTINE, EventBatch
from transforms.core.blocks import Block, RawRequest
from transforms.core.curate import curate
from transforms.core.decode import BlockDecoder
from transforms.core.geo import GeoDatabase
from transforms.core.join import join_suggestions
from transforms.core.pieces import PieceBuilder, open_pieces
from transforms.core.protect import Protector
from transforms.core.windows import Portion

BLOCK_BODIES = 100
TOKENS = [
    b"null", b"true", b"{}", b"[]", b'""', b"-1", b"1e999", b"-1e308", b"NaN", b"Infinity", b"9" * 400, b"0.1e-400",
    b'"\\ud800"', b'"\\u0000"', b"\xff", b"\xed\xa0\x80", b"\x00", b"[" * 2000, b'{"a":' * 500, b"\n", b'"', b"\\", b",", b":",
    b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:59.999999Z"', b'"2026-02-30T00:00:00Z"', b"18446744073709551616",
]  # fmt: skip


def bodies() -> list[bytes]:
    """Every recorded body, plain; and samples as lines."""
    found = []
    for path in sorted((DATA / "clients").glob("*.json")):
        for request in json.loads(path.read_text())["requests"]:
            body = base64.b64decode(request["body_base64"])
            found.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    found += [json.dumps(json.loads(p.read_text())).encode() for p in sorted((DATA / "samples").glob("*/pass/*.json"))]
    return found


def mutate(rng: random.Random, body: bytes, others: list[bytes]) -> bytes:
    """One to four small wounds; one body in eight is gzipped before or after."""
    zipped = rng.random()
    if zipped < 0.06:
        body = gzip.compress(body, 1, mtime=0)
    data = bytearray(body)
    for _ in range(rng.randrange(1, 5)):
        at, length = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 8, 64, 600))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = rng.randbytes(length % 9)
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            data[at : at + length] = other[start : start + length]
        elif kind == 5:
            _replace_value(rng, data)
        else:
            data[at : at + rng.choice((0, 1, 5))] = rng.choice(TOKENS)
    return gzip.compress(bytes(data), 1, mtime=0) if 0.06 <= zipped < 0.12 else bytes(data)


def _replace_value(rng: random.Random, data: bytearray) -> None:
    """Puts a token where a value stands."""
    colon = data.find(b":", rng.randrange(len(data) + 1))
    end = min((e for e in (data.find(b",", colon), data.find(b"}", colon)) if e > 0), default=-1)
    if 0 <= colon < end:
        data[colon + 1 : end] = rng.choice(TOKENS)


class Job:
    """The steps of the job on one block after another, without Beam."""

    def __init__(self) -> None:
        ring = keyring.load(KEY_RING)
        for year in range(2000, 2100):  # a mutated receive time may lie in any plausible month
            for month in range(1, 13):
                ring.epochs.setdefault(f"{year}-{month:02d}", bytes(32))
        self._decoder = BlockDecoder(ring, 1)
        self._protector = Protector(ring, GeoDatabase(default_geo_database(), 15_000), 1)
        self._sealer = ring.sealer()

    def run(self, block: Block) -> Counter[str]:
        """The books of a block; AssertionError where they do not balance."""
        builder = PieceBuilder(self._sealer, 1)
        pieces = []
        for batch in self._decoder.decode(block):
            if batch.kind not in (COUNTS, QUARANTINE):
                batch = EventBatch(batch.kind, self._protector.protect(batch.kind, batch.batch).batch)  # noqa: PLW2901
            pieces += [piece for _, piece in builder.add(batch)]
        pieces += [piece for _, piece in builder.finish()]
        tables = open_pieces(self._sealer, 0, pieces)
        curated = curate(Portion("fuzz", 0), tables, nothing_recent(), timedelta(days=1), timedelta(0))
        join_suggestions(curated, timedelta(minutes=30), timedelta(days=1), close_open=True)
        books: Counter[str] = Counter()
        for counts in curated.counts.values():
            fates = {"landed": counts.landed, "duplicate": counts.duplicate}
            for name in ("withheld", "outside_contract", "quarantined"):
                fates[name] = sum(getattr(counts, name).values())
            assert counts.events == sum(fates.values()), f"{counts.events} events, {fates}"
            books.update({"payloads": counts.payloads, "events": counts.events, **fates})
        rows = sum(table.num_rows for table in curated.tables.values())
        assert rows == sum(sum(c.rows.values()) for c in curated.counts.values())
        assert books["payloads"] == len(block.lines) + len(block.requests)
        return books


def block_of(rng: random.Random, mutated: list[bytes]) -> Block:
    """Half of the bodies as requests of a container, half as raw lines."""
    block = Block()
    for body in mutated:
        if rng.random() < 0.5:
            level = rng.choice(("all", "all", "error", "off", None))
            block.requests.append(RawRequest("2026-11-24T01:00:00+00:00", "81.2.69.142", level, True, None, None, body))
        else:
            block.lines += [line for line in body.split(b"\n") if line.strip()]
    return block


def fuzz(mutations: int, seed: int, progress: Callable[[int, Counter[str]], None] | None = None) -> Counter[str]:
    """Runs so many mutations; returns the sums of the books."""
    rng, job, sources = random.Random(seed), Job(), bodies()
    books: Counter[str] = Counter()
    for done in range(0, mutations, BLOCK_BODIES):
        mutated = [mutate(rng, rng.choice(sources), sources) for _ in range(min(BLOCK_BODIES, mutations - done))]
        state = rng.getstate()
        try:
            books.update(job.run(block_of(rng, mutated)))
        except Exception as error:
            # whatever breaks is a finding: told with the body that does it, and raised
            rng.setstate(state)
            raise AssertionError(f"seed {seed}, mutations from {done}: {culprit(job, mutated, error)!r}") from error
        if progress is not None:
            progress(done + len(mutated), books)
    return books


def culprit(job: Job, mutated: list[bytes], error: Exception) -> bytes:
    """The one body that breaks the job by itself; empty where it takes several."""
    for body in mutated:
        for block in (
            Block(lines=[line for line in body.split(b"\n") if line.strip()]),
            Block(requests=[RawRequest("2026-11-24T01:00:00+00:00", "8.8.8.8", "all", True, None, None, body)]),
        ):
            try:
                job.run(block)
            except type(error):
                return body[:3000]
    return b""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    start = time.monotonic()

    def progress(done: int, _: Counter[str]) -> None:
        if sys.stderr.isatty() or done % 20_000 < BLOCK_BODIES:
            end = "\r" if sys.stderr.isatty() else "\n"
            print(f"{done} of {args.mutations} mutations, {time.monotonic() - start:.0f} s", end=end, file=sys.stderr)

    books = fuzz(args.mutations, args.seed, progress)
    print(f"{args.mutations} mutations, seed {args.seed}: {dict(books)}; every block balanced")


if __name__ == "__main__":
    main()
