"""Flags that the batch job and the endless one share, and what is done before either writes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pipelines.keeping.months import check_days, months_warning
from pipelines.options.flags import duration, whole_number
from pipelines.options.known_values import read_vocabulary
from pipelines.options.manifests import add_manifest_flag, keep_manifests, manifest_path, read_manifests
from pipelines.options.wrapping import add_key_ring_flags
from schemas.manifests import Manifests
from transforms.core import storage
from transforms.core.chains.chain import Chain
from transforms.core.chains.kept import announce_kept
from transforms.core.chains.run_signing import Signing, chain_of_run
from transforms.core.keys import keyring
from transforms.core.keys.open_ring import open_row_proof
from transforms.core.output.claim import claimed, held_by_this_run
from transforms.core.output.layout import OUTPUT_FILE, Output
from transforms.core.output.output_facts import LEAST_SLOTS, begin_output, check_output, sender_from
from transforms.core.output.schema_file import schema_path, write_schema_file
from transforms.core.output.sweeping import sweep_output
from transforms.core.protecting.places.geo import REGION_MIN_POPULATION, GeoDatabase
from transforms.core.protecting.places.geo_file import PACKAGED, default_geo_database
from transforms.core.storage.secret_files import readable_by_others


def add_ingest_flags(add: Any) -> None:
    """Adds them by an argparse parser's `add_argument`."""
    add("--output", type=Output, metavar="PATH", help="Folder or URL where the datasets lie.")
    add_key_ring_flags(add, "Folder made by `python -m pipelines.keys create`, or the gs:// or s3:// URL of one.")
    add("--geo_database", default=default_geo_database(), metavar="FILE",
        help="City database in MaxMind format (.mmdb), a file or a gs:// or s3:// URL. Default: the packaged DB-IP "
        "City Lite.")  # fmt: skip
    add("--city_min_population", type=whole_number(0, 100_000_000), default=15_000, metavar="PEOPLE",
        help="Name a city only where at least so many people live. Default: 15000.")  # fmt: skip
    add("--region_min_population", type=whole_number(0, 100_000_000), default=REGION_MIN_POPULATION, metavar="PEOPLE",
        help="Name a region, and a country, only where at least so many people live. Default: 100000.")  # fmt: skip
    add("--known_values", metavar="FILE",
        help="TOML file of values that may land beside the packaged ones, as in models = [\"our-model-1\"]; "
        "see docs/known-values.md.")  # fmt: skip
    add_manifest_flag(add)
    add("--buckets", type=whole_number(1, 9999), metavar="N",
        help="Parts by person, worked on one after another: fewer make larger files, more need less memory. At most as "
        f"many as the output has slots: {LEAST_SLOTS}, or what its first run asked for. Default: batch, by the size of "
        f"the input, the same when it is run again; streaming, {STREAM_BUCKETS}.")  # fmt: skip
    add("--lookback", type=duration, default=duration("24h"), metavar="TIME",
        help="How far apart two copies of an event may be received and still be duplicates, also "
        "against what earlier runs published, as in 90s, 30min, 24h, 7d; and the longest that a suggestion "
        "lives. Default: 24h.")  # fmt: skip
    add("--max_unprocessable", type=whole_number(0, 10**12), metavar="N",
        help="So many payloads on which this program itself fails may go aside; more stop the run. Default: 1000, or "
        "0.1 %% of the events, whichever is more.")  # fmt: skip
    add("--suggestion_horizon", type=duration, default=duration("30min"), metavar="TIME",
        help="A suggestion's life is over, and its row is written, when nothing about it was received for so "
        "long; what comes later is counted late. Default: 30min.")  # fmt: skip


STREAM_BUCKETS = 4
"""Buckets of a stream, whose windows are small: each writes a file for each dataset and bucket, every five minutes."""


@dataclass(frozen=True)
class Held:
    """An output that a run holds: what it keeps of its first run on, and what signs its manifests, None where it is not
    signed. `sender_from` is the first month in which its ids depend on their sender.
    """

    slots: int
    sender_from: str
    signing: Signing | None


@contextmanager
def held_output(options: Any, buckets: int, *, to_finish: bool = False) -> Iterator[Held]:
    """Checks what both jobs need, then holds the output while the block runs; what killed runs left half is gone.

    Where a change was cut off it is refused, unless it is taken `to_finish` one. Nothing is written before all is
    checked. Raises KeyUnavailable, InvalidOptions, OutputInUse.
    """
    storage.forget_fetched()  # a run sees what lies there when it begins
    ring = keyring.load(options.key_ring)
    geo = GeoDatabase(options.geo_database, options.city_min_population)
    geo.check_countries()
    open_by_all = readable_by_others(storage.join(options.key_ring, keyring.RING_FILE))
    for warning in filter(None, (open_by_all, months_warning(ring, options.key_ring, datetime.now(UTC)))):
        print(warning, file=sys.stderr)
    read_vocabulary(options.known_values)
    manifests = read_manifests(options.telemetry_manifest)
    day = getattr(options, "received_date", None)  # of the batch job alone
    check_days(ring, options.key_ring, [] if day is None else [day])
    check_output(options.output, options.buckets, ring)
    with claimed(options.output, to_finish=to_finish):
        chain = _begun_chain(options, ring)
        slots = begin_output(options.output, buckets, ring, partial(announce_kept, options.output, chain))
        write_schema_file(options.output)
        sweep_output(options.output)
        keep_manifests(options.output, manifests)
        beside, proof = _beside(manifests), open_row_proof(options.key_ring)
        yield Held(slots, sender_from(options.output), Signing(chain, proof, beside, geo.build_date) if chain else None)


def _begun_chain(options: Any, ring: keyring.KeyRing) -> Chain | None:
    """The chain of the output's manifests; says in one line where the run is not signed."""
    chain, line = chain_of_run(options.output, ring.signer)
    if line:
        print(line, file=sys.stderr, flush=True)
    return chain


def _beside(manifests: Manifests) -> list[str]:
    return [OUTPUT_FILE, schema_path(), *([manifest_path(manifests)] if manifests else [])]


def ingest_flags_of(options: Any) -> dict[str, Any]:
    """The shared flags as `IngestSettings` takes them; paths as workers in any folder find them."""
    names = (
        "city_min_population", "region_min_population", "lookback", "suggestion_horizon",
        "max_unprocessable",
    )  # fmt: skip
    return {
        **{name: getattr(options, name) for name in names},
        "key_ring": storage.absolute(options.key_ring),
        "geo_database": PACKAGED if _is_packaged(options) else storage.absolute(options.geo_database),
        "output": held_by_this_run(options.output),
        "vocabulary": read_vocabulary(options.known_values),
        "manifests": read_manifests(options.telemetry_manifest),
    }


def paths_of_workers(options: Any) -> list[tuple[str, str | None]]:
    """The shared flags whose files workers open, with their values; the packaged database is in their own package."""
    geo_database = None if _is_packaged(options) else options.geo_database
    return [("output", options.output.path), ("key_ring", options.key_ring), ("geo_database", geo_database)]


def _is_packaged(options: Any) -> bool:
    return bool(options.geo_database == default_geo_database())
