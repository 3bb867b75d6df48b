"""What a user would write instead, in Polars: scan_ndjson, expressions, one Parquet file a day.

The same protection of the same wire fields as the job, one dataset, no
quarantine, no ledger, no encryption, duplicates dropped by event id.

    python -m tests.bench.rival_polars RAW_FOLDER OUTPUT [lean]

`lean` asks for those members alone that occur in the first lines, as somebody would who knows the data.
"""

import ipaddress
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import maxminddb
import polars as pl

from pipelines.options.ingest_flags import default_geo_database
from tests.bench.rival_beam import IDENTIFIERS, MEASUREMENTS, PROPERTIES, pseudonym

_FIRST_LINES = 5000


def schema_of(properties: list[str], measurements: list[str]) -> dict[str, Any]:
    """What is read of each line."""
    base = {
        "name": pl.String,
        "properties": pl.Struct(dict.fromkeys(properties, pl.String)),
        "measurements": pl.Struct(dict.fromkeys(measurements, pl.Float64)),
    }
    return {
        "time": pl.String,
        "data": pl.Struct({"baseData": pl.Struct(base)}),
        "collector": pl.Struct({"received_at": pl.String, "client_ip": pl.String, "telemetry_level": pl.String}),
    }


def occurring(raw: str, group: str, names: list[str]) -> list[str]:
    """Those of the names that stand in a group of the first lines of a folder."""
    with sorted(Path(raw).iterdir())[0].open("rb") as file:
        lines = [json.loads(line) for line in islice(file, _FIRST_LINES)]
    found = {name for line in lines for name in line["data"]["baseData"].get(group) or ()}
    return [name for name in names if name in found]


def mapped(column: str, function: Any, frame: pl.DataFrame, alias: str | None = None) -> pl.Series:
    """The function of each distinct value of a column."""
    distinct = frame[column].unique().drop_nulls().to_list()
    meaning = {value: function(value) for value in distinct}
    return frame[column].replace_strict(meaning, default=None, return_dtype=pl.String).alias(alias or column)


def place(geo: Any, text: str) -> Any:
    """The database's record of an address."""
    try:
        return geo.get(str(ipaddress.ip_address(text.rpartition(",")[2].strip()))) or {}
    except ValueError:
        return {}


def main(raw: str, output: str, how: str = "") -> None:
    """The script."""
    properties, measurements = PROPERTIES, MEASUREMENTS
    if how == "lean":
        properties, measurements = (
            occurring(raw, "properties", PROPERTIES),
            occurring(raw, "measurements", MEASUREMENTS),
        )
    schema = schema_of(properties, measurements)
    identifiers = [name for name in IDENTIFIERS if name in properties]
    geo = maxminddb.open_database(default_geo_database())
    base = pl.col("data").struct.field("baseData")
    stamp = pl.col("collector").struct
    Path(output).mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(Path(raw).iterdir())):
        frame = (
            pl.scan_ndjson(path, schema=schema, ignore_errors=True)
            .filter(stamp.field("telemetry_level").is_in(["all", "error"]))
            .select(
                "time",
                base.struct.field("name").alias("event"),
                *[base.struct.field("properties").struct.field(n).alias(f"p_{n}") for n in properties],
                *[base.struct.field("measurements").struct.field(n).alias(f"m_{n}") for n in measurements],
                stamp.field("received_at"),
                stamp.field("client_ip"),
            )
            .collect()
        )
        places = {a: place(geo, a) for a in frame["client_ip"].unique().drop_nulls().to_list()}
        country = mapped("client_ip", lambda a, p=places: p[a].get("country", {}).get("iso_code"), frame, "country")
        region = mapped(
            "client_ip",
            lambda a, p=places: (p[a].get("subdivisions") or [{}])[0].get("names", {}).get("en"),
            frame,
            "region",
        )
        ids = [mapped(f"p_{name}", pseudonym, frame) for name in identifiers]
        protected = frame.with_columns(country, region, *ids).drop("client_ip")
        protected.sort("received_at").unique("p_unique_id", keep="first").write_parquet(f"{output}/{number}.parquet")


if __name__ == "__main__":
    main(*sys.argv[1:])
