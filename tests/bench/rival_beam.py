"""What a user would write instead, in Beam: an element a line, json, WriteToParquet.

The same protection of the same wire fields as the job, one dataset, no
quarantine, no ledger, no encryption, duplicates dropped by event id.

    python -m tests.bench.rival_beam RAW_FOLDER OUTPUT
"""

import hmac
import ipaddress
import json
import sys
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import maxminddb
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options.ingest_flags import default_geo_database
from schemas.registry import EVENT_DATASETS, load

KEY = b"k" * 32


def wire_names(group: str, *, are_identifiers: bool = False) -> list[str]:
    """Every property or measurement that the job reads; or only those that hold an identifier."""
    fields = [f for d in EVENT_DATASETS if d != "snippets" for f in load(d).fields]
    names = {s.partition("=>")[0] for f in fields if f.pseudonym_domain or not are_identifiers for s in f.sources}
    return sorted(n.partition(".")[2] for n in names if n.startswith(f"{group}."))


IDENTIFIERS = wire_names("properties", are_identifiers=True)
PROPERTIES, MEASUREMENTS = wire_names("properties"), wire_names("measurements")
SCHEMA = pa.schema(
    [("event", pa.string()), ("event_id", pa.string()), ("received_at", pa.string()), ("time", pa.string())]
    + [("country", pa.string()), ("region", pa.string())]
    + [(f"p_{n}", pa.string()) for n in PROPERTIES]
    + [(f"m_{n}", pa.float64()) for n in MEASUREMENTS]
)


def pseudonym(value: str | None) -> str | None:
    """HMAC-SHA-256, 128 bits."""
    return hmac.digest(KEY, value.encode(), "sha256")[:16].hex() if value else None


class ProtectRow(beam.DoFn):
    """One line -> one row."""

    def setup(self) -> None:
        self.geo = maxminddb.open_database(default_geo_database())
        self.places: dict[str, Any] = {}

    def place(self, text: str) -> Any:
        if text not in self.places:
            try:
                self.places[text] = self.geo.get(str(ipaddress.ip_address(text.rpartition(",")[2].strip()))) or {}
            except ValueError:
                self.places[text] = {}
        return self.places[text]

    def process(self, line: str) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            event = json.loads(line)
            stamp, base = event["collector"], event["data"]["baseData"]
        except (ValueError, KeyError, TypeError):
            return
        if stamp.get("telemetry_level") not in ("all", "error"):
            return
        properties, numbers = base.get("properties") or {}, base.get("measurements") or {}
        row: dict[str, Any] = {f"p_{n}": properties.get(n) for n in PROPERTIES}
        row |= {f"m_{n}": float(v) if isinstance(v := numbers.get(n), int | float) else None for n in MEASUREMENTS}
        for name in IDENTIFIERS:
            row[f"p_{name}"] = pseudonym(row[f"p_{name}"])
        place = self.place(stamp.get("client_ip") or "")
        row["country"] = place.get("country", {}).get("iso_code")
        row["region"] = (place.get("subdivisions") or [{}])[0].get("names", {}).get("en")
        row |= {"event": base.get("name"), "time": event.get("time"), "received_at": stamp.get("received_at")}
        row["event_id"] = pseudonym(properties.get("unique_id") or line)
        yield row["event_id"], row


def main(raw: str, output: str) -> None:
    """The pipeline."""
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromText(f"{raw}/*")
            | beam.ParDo(ProtectRow())
            | beam.GroupByKey()
            | beam.Map(lambda pair: min(pair[1], key=lambda row: row["received_at"]))
            | beam.io.WriteToParquet(f"{output}/events", SCHEMA, codec="zstd", file_name_suffix=".parquet")
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
