"""How long it takes to verify a year of daily manifests, and one of windows of five minutes.

python -m tests.bench.verify days     365 manifests, 18,250 files
python -m tests.bench.verify windows  105,120 manifests that name 1,261,440 files, of which a month lies there
"""

import os
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pipelines.verifying.chains import read_chains
from pipelines.verifying.comparing import compare
from pipelines.verifying.expected import expected_of
from transforms.core import storage
from transforms.core.chains.chain import begin_chain
from transforms.core.chains.chain_files import path_of
from transforms.core.chains.run_manifest import PutFile, RunManifest, digest_of, signed
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import DATA_DATASETS, LEDGER, FileName, Output, path_in_output

SIGNER = Signer(b"s" * 31 + b"1")
FIRST = date(2025, 1, 1)
FILE_BYTES = 50_000


def make_days(output: Output, days: int) -> None:
    """Each with five files of each dataset, as a batch run of five buckets leaves them."""
    chain = begin_chain(output, SIGNER)
    for number in range(days):
        day = FIRST + timedelta(days=number)
        names = [FileName(f"{number:016x}", bucket, 5) for bucket in range(5)]
        paths = [path_in_output(dataset, day, str(name)) for dataset in (*DATA_DATASETS, LEDGER) for name in names]
        chain.append("batch", [written(output, path, os.urandom(FILE_BYTES)) for path in paths])


def make_windows(output: Output, windows: int, there: int) -> None:
    """Each with twelve files, of which those of the last windows lie there."""
    before, digest = "", digest_of(b"")
    begin = datetime(FIRST.year, 1, 1, tzinfo=UTC)
    for number in range(windows):
        end = begin + timedelta(minutes=5 * number)
        name = FileName(f"0123456789abcdef.{end:%Y%m%dT%H%M%SZ}", number % 4, 4)
        datasets = (*DATA_DATASETS, LEDGER, "acceptance")[:12]
        paths = [path_in_output(dataset, end.date(), str(name)) for dataset in datasets]
        is_there = number >= windows - there
        put = [written(output, path, b"x" * 100) if is_there else PutFile(path, 0, 1, digest) for path in paths]
        before = append_fast(output, number + 1, before, put)


def append_fast(output: Output, number: int, before: str, put: list[PutFile]) -> str:
    """As `Chain.append` does, without waiting for the disk at each of a hundred thousand."""
    manifest = RunManifest(
        output="0" * 32, chain="output", number=number, before=before, kind="window", made_at=datetime.now(UTC),
        software="0.1.0", contract="0" * 16, put=put,
    )  # fmt: skip
    data = signed(manifest, SIGNER)
    target = Path(output.beside(path_of("output", number)))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return digest_of(data)


def written(output: Output, path: str, data: bytes) -> PutFile:
    target = Path(output.beside(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return PutFile(path, len(data), 1, digest_of(data))


def measure(output: Output, *, reads: bool) -> None:
    began_s, cpu_s = time.monotonic(), time.process_time()
    entries = [*storage.whole_tree(output.path)]
    listed_s = time.monotonic()
    chains = read_chains(output, entries, SIGNER.public_key)
    chained_s = time.monotonic()
    expected = expected_of(chains.values())
    found = compare(output, entries, expected, reads=reads, told=lambda _: None)
    ended_s = time.monotonic()
    manifests = sum(len(chain.manifests) for chain in chains.values())
    size_bytes = sum(entry.size_bytes for entry in entries) if reads else 0
    print(
        f"{manifests:,} manifests, {len(expected.files):,} files, {size_bytes / 1e6:,.0f} MB read: "
        f"list {listed_s - began_s:.1f} s, chain {chained_s - listed_s:.1f} s, files {ended_s - chained_s:.1f} s, "
        f"CPU {time.process_time() - cpu_s:.1f} s, {len(found.problems):,} findings, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB of memory at most"
    )


def main(what: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = Output(folder)
        if what == "days":
            make_days(output, 365)
            measure(output, reads=False)
            measure(output, reads=True)
        else:
            make_windows(output, 365 * 288, 30 * 288)
            measure(output, reads=False)


if __name__ == "__main__":
    main(sys.argv[1])
