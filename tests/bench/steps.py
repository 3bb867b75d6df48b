"""What each step costs: the steps' own functions on the same data, one after the other, in one process.

python -m tests.bench.steps RAW_FOLDER KEY_RING OUTPUT
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pipelines.options.ingest_flags import default_geo_database
from pipelines.running.memory import tune_memory
from transforms.core import storage
from transforms.core.batches import COUNTS, QUARANTINE, EventBatch
from transforms.core.curating.curate import curate
from transforms.core.curating.join import join_suggestions
from transforms.core.curating.publish import Publisher
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.landing import Landing
from transforms.core.output.layout import Output
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.protect import Protector
from transforms.core.reading.payloads import read_blocks
from transforms.core.recent.memory import BucketMemory
from transforms.core.shuffle.pieces import PieceBuilder, open_pieces
from transforms.core.shuffle.windows import Portion

BUCKETS = 16
CPU_S: dict[str, float] = defaultdict(float)


@contextmanager
def clock(step: str) -> Iterator[None]:
    """Adds the CPU time of what is inside to a step."""
    start = time.process_time()
    yield
    CPU_S[step] += time.process_time() - start


def main(raw: str, key_ring: str, output: str) -> None:
    """Prints CPU seconds by step, and sealed bytes, as JSON."""
    tune_memory()
    with clock("set up"):
        keys = step_keys_of(keyring.load(key_ring))
        decoder = BlockDecoder(keys.quarantine, BUCKETS)
        protector = Protector(keys.pseudonyms, GeoDatabase(default_geo_database(), 15_000), BUCKETS,
                              overlap=timedelta(days=1, minutes=30))  # fmt: skip
        landing = Landing(keys.landing, "", BUCKETS)
        sealer = keys.sealer()
        builder = PieceBuilder(sealer, BUCKETS)
    pieces: dict[int, list[bytes]] = defaultdict(list)
    for file in storage.expand_inputs([raw]):
        blocks = read_blocks(lambda path=file.path: storage.open_read(path), file.path)
        while True:
            with clock("ReadPayloads"):
                block = next(blocks, None)
            if block is None:
                break
            with clock("DecodeEvents"):
                batches = list(decoder.decode(block))
            for batch in batches:
                with clock("ProtectEvents"):
                    if batch.kind not in (COUNTS, QUARANTINE):
                        batch = EventBatch(batch.kind, protector.protect(batch.kind, batch.batch).batch)  # noqa: PLW2901
                with clock("SealBatches"):
                    for bucket, piece in builder.add(batch):
                        pieces[bucket].append(piece)
    with clock("SealBatches"):
        for bucket, piece in builder.finish():
            pieces[bucket].append(piece)
    listing, memory = Output(output).listing(), BucketMemory()
    publisher = Publisher(listing, keys.roles, keys.row_proof, landing)
    for bucket, sealed in sorted(pieces.items()):
        with clock("CurateEvents"):
            portion = Portion("bench", bucket, None, BUCKETS)
            recent = memory.lend(portion, listing, landing)
            curated = curate(portion, open_pieces(sealer, bucket, sealed), recent, timedelta(days=1), timedelta(0),
                             timedelta(minutes=30))  # fmt: skip
        with clock("JoinSuggestions"):
            joined = join_suggestions(curated, recent, timedelta(minutes=30), timedelta(days=1), close_open=False)
        with clock("WriteDatasets"):
            publisher.publish(joined, [])
    sealed_bytes = sum(len(p) for found in pieces.values() for p in found)
    print(json.dumps({"cpu_s": dict(CPU_S), "sealed_bytes": sealed_bytes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
