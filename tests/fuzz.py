"""Byte mutations of bodies that real clients sent, of their stamps and of what holds them: whatever comes, the books
balance and nothing breaks.

    make fuzz                                   200,000 mutations, some minutes
    python -m tests.fuzz --mutations 5000 --seed 7

Each mutated body comes as a request, as lines with stamps (whole, twice, mutated too), as a message of Kafka, or
in an Avro, gzip or zstd container that is mutated itself. It goes through decoding, protection, sealing, curation
and joining, in blocks of 100, as in the job; a bug that the job would put aside as unprocessable is a finding
here. A block that breaks is cut down to the one body that breaks it, which is printed.
"""

import argparse
import gzip
import io
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import zstandard

from pipelines.options.ingest_flags import default_geo_database
from schemas.registry import raw_schemas
from tests.conftest import DATA, KEY_RING, nothing_recent
from tests.support.blocks import joined
from tests.support.recordings import body_of
from transforms.core.batches import PASSING
from transforms.core.blocks import Block, RawRequest
from transforms.core.curating.curate import CuratedBucket, curate
from transforms.core.curating.join import join_suggestions
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.protect import Protector
from transforms.core.protecting.protect_rows import RowProtector
from transforms.core.quarantine.rows import Quarantine
from transforms.core.quarantine.unprocessable import Unprocessable
from transforms.core.reading.kafka.messages import Arrived
from transforms.core.reading.kafka.messages import block_of as block_of_messages
from transforms.core.reading.payloads import read_blocks
from transforms.core.shuffle.pieces import PieceBuilder, open_pieces
from transforms.core.shuffle.windows import Portion

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
            body = body_of(request)
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
    """The steps of the job on one block after another, without Beam; `most` payloads may be unprocessable."""

    def __init__(self, most: int = 0) -> None:
        ring = keyring.load(KEY_RING)
        for year in range(2000, 2099):  # a mutated receive time may lie in any plausible month; one year has no keys
            for month in range(1, 13):
                ring.epochs.setdefault(f"{year}-{month:02d}", bytes(32))
        keys = step_keys_of(ring)
        unprocessable = Unprocessable(most)
        self._decoder = BlockDecoder(keys.quarantine, 1, unprocessable=unprocessable)
        protector = Protector(keys.pseudonyms, GeoDatabase(default_geo_database(), 15_000), 1)
        self._protector = RowProtector(protector, Quarantine(keys.quarantine, 1), unprocessable)
        self._sealer = keys.sealer()

    def curated(self, block: Block) -> CuratedBucket:
        """What a block publishes."""
        builder = PieceBuilder(self._sealer, 1)
        pieces = []
        for batch in self._decoder.decode(block):
            for protected in [batch] if batch.kind in PASSING else self._protector.protect(batch):
                pieces += [piece for _, piece in builder.add(protected)]
        pieces += [piece for _, piece in builder.finish()]
        tables = open_pieces(self._sealer, 0, pieces)
        recent = nothing_recent()
        curated = curate(Portion("fuzz", 0), tables, recent, timedelta(days=1), timedelta(0), timedelta(minutes=30))
        return join_suggestions(curated, recent, timedelta(minutes=30), timedelta(days=1), close_open=True)

    def run(self, block: Block) -> Counter[str]:
        """The books of a block; AssertionError where they do not balance."""
        curated = self.curated(block)
        books: Counter[str] = Counter()
        for counts in curated.counts.values():
            fates = {"landed": counts.landed, "duplicate": counts.duplicate}
            for name in ("withheld", "outside_contract", "quarantined"):
                fates[name] = sum(getattr(counts, name).values())
            assert counts.events == sum(fates.values()), f"{counts.events} events, {fates}"
            books.update({"payloads": counts.payloads, "events": counts.events, **fates})
        rows = sum(table.num_rows for table in curated.tables.values())
        assert rows == sum(sum(c.rows.values()) for c in curated.counts.values())
        assert books["payloads"] == len(block.lines) + len(block.requests) + len(block.unreadable)
        return books


AVRO_CODECS = ("null", "deflate")
LEVELS = (*["all"] * 6, "error", "off", "everything", None)
HEADERS = (None, b"all", b"off", b"true", b"false", b"1", b"\xff", b"2026-11-24T01:00:00Z", b"8.8.8.8")
MOMENT = datetime(2026, 11, 24, 1, tzinfo=UTC)


def stamped(rng: random.Random, body: bytes) -> list[bytes]:
    """The body's lines, some with stamps of a client's or a collector's making, first, last or both."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    for at, line in enumerate(lines):
        if rng.random() < 0.7:
            continue
        stamp = {"received_at": MOMENT.isoformat(), "telemetry_level": rng.choice(LEVELS), "snippet_consent": True}
        member = b'"collector":' + mutate_stamp(rng, json.dumps(stamp).encode())
        if rng.random() < 0.5:
            line = line.replace(b"{", b"{" + member + b",", 1)  # noqa: PLW2901
        if rng.random() < 0.5:
            line = line.rstrip().removesuffix(b"}") + b"," + member + b"}"  # noqa: PLW2901
        lines[at] = line
    return lines


def mutate_stamp(rng: random.Random, stamp: bytes) -> bytes:
    """One wound, or none."""
    if rng.random() < 0.5:
        return stamp
    data = bytearray(stamp)
    _replace_value(rng, data)
    return bytes(data)


def record(rng: random.Random, body: bytes) -> dict[str, Any]:
    """A body as an Avro container holds it."""
    facts = {"received_at": MOMENT, "client_ip": "81.2.69.142", "telemetry_level": rng.choice(LEVELS)}
    encoding = rng.choice((None, "gzip", "deflate", "br"))
    return {**facts, "snippet_consent": True, "content_type": None, "content_encoding": encoding, "body": body}


def contained(rng: random.Random, found: list[bytes]) -> Block:
    """The blocks of one container that holds the bodies and was wounded itself, most of the time."""
    kind = rng.randrange(3)
    if kind == 0:
        out = io.BytesIO()
        codec = rng.choice(AVRO_CODECS)
        records = [record(rng, body) for body in found]
        fastavro.writer(out, raw_schemas()["raw_request.1"], records, codec=codec, sync_interval=4000)
        data = out.getvalue()
    else:
        compress = gzip.compress if kind == 1 else zstandard.compress
        data = b"".join(compress(b"\n".join(stamped(rng, body)) + b"\n") for body in found)
    if rng.random() < 0.8:
        wounded = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            wounded[rng.randrange(len(wounded))] ^= 1 << rng.randrange(8)
        data = bytes(wounded)
    return joined(read_blocks(lambda: io.BytesIO(data), "fuzz"))


def message(rng: random.Random, body: bytes, offset: int) -> Arrived:
    """A body as a message of Kafka, with some of the headers, or none."""
    names = ("received_at", "client_ip", "telemetry_level", "snippet_consent", "content_encoding", "other")
    headers = {name: rng.choice(HEADERS) for name in names if rng.random() < 0.3}
    value = b"\n".join(stamped(rng, body))
    return Arrived(0, offset, 1_795_000_000_000, headers, gzip.compress(value, 1) if rng.random() < 0.3 else value)


def block_of(rng: random.Random, mutated: list[bytes]) -> Block:
    """The bodies as requests, as raw lines, as messages, and the last ones in a container."""
    block, messages = Block(), []
    *rest, last, but_one = mutated if len(mutated) > 2 else (*mutated, b"{}", b"[]")
    for body in rest:
        kind = rng.random()
        if kind < 0.4:
            block.requests.append(
                RawRequest(MOMENT.isoformat(), "81.2.69.142", rng.choice(LEVELS), True, None, None, body)
            )
        elif kind < 0.7:
            block.lines += stamped(rng, body)
        else:
            messages.append(message(rng, body, len(messages)))
    return joined([block, block_of_messages(messages), contained(rng, [last, but_one])])


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
