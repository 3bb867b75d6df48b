"""What people read of the contract: docs/datasets.md, docs/telemetry.json, and what stands beside an output.

python -m schemas.dictionary docs
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from schemas.fields import Field
from schemas.registry import (
    ACCEPTANCE,
    EVENT_DATASETS,
    EXTENSION_EVENTS,
    SUGGESTIONS,
    Schema,
    contract_digest,
    load,
)

DATASETS = (SUGGESTIONS, ACCEPTANCE, *EVENT_DATASETS, EXTENSION_EVENTS, "quarantine", "ledger")


def datasets_page() -> str:
    """The data dictionary as Markdown, one table a dataset."""
    parts = [
        "# Datasets\n\nMade from `schemas/avro/` by `make docs`; do not edit.\n\n"
        "Every dataset lies in `<output>/<dataset>/received_date=YYYY-MM-DD/*.parquet`. `received_date` is the name of "
        "a folder and no column of a file. DuckDB and Spark make a date of it. Polars does so where it is given the "
        "dataset's folder, as in `pl.scan_parquet('<output>/suggestions')`; with a pattern it has no such column. In "
        "pandas and PyArrow it is a text. Files that were written before a column was added lack it: DuckDB then needs "
        "`union_by_name = true`, Polars `missing_columns='insert', extra_columns='ignore'`.\n\n"
        "What stands here is in `<output>/_schemas/<contract>.json`, too, for programs. The footer of each file names "
        "its contract. Rows are sorted by installation, session and time.\n\n"
        "Level is the telemetry level that permits the value. Shape is what a text may be; all else lands as `other`: "
        "see [known values](known-values.md).\n"
    ]
    for name in DATASETS:
        parts.append(_section(load(name)))
    return "\n".join(parts)


def _section(schema: Schema) -> str:
    kept = f"Version {schema.version}. Kept {schema.delete_after_days} days."
    wires = sorted({route.name for route in schema.events})
    wire = " Events: " + ", ".join(f"`{w}`" for w in wires) + "." if wires else ""
    lines = [f"## {schema.name}\n", f"{schema.doc} {kept}{wire}\n"]
    lines.append("| column | type | unit | treatment | shape | level | what it is |")
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for f in schema.fields:
        kind = f"{f.type}{'' if f.required else ' or null'}"
        lines.append(f"| {f.name} | {kind} | {f.unit or ''} | {f.treatment} | {f.allowed} | {f.level} | {f.doc} |")
    return "\n".join(lines) + "\n"


def columns_document() -> dict[str, Any]:
    """What every column of every dataset means, for programs: the data dictionary of this contract.

    Each dataset has `version`, `doc`, `delete_after_days` and `columns`, in the order of its files. A column has `unit`
    and `shape` where there is one.
    """
    datasets = {name: _documented(load(name)) for name in DATASETS}
    return {"contract": contract_digest(), "datasets": datasets}


def _documented(schema: Schema) -> dict[str, Any]:
    columns = []
    for f in schema.fields:
        told = {"unit": f.unit, "shape": f.allowed, "classification": f.classification, "purpose": f.purpose}
        told |= {"treatment": f.treatment, "level": f.level}
        known = {name: value for name, value in told.items() if value}
        columns.append({"name": f.name, "type": str(f.type), "nullable": not f.required, "doc": f.doc, **known})
    kept = {"version": schema.version, "doc": schema.doc, "delete_after_days": schema.delete_after_days}
    return {**kept, "columns": columns}


def telemetry_json() -> dict[str, Any]:
    """Our own contract in the format of an extension's telemetry.json, by wire event.

    What every event carries (`event.1.avsc`) stands once, under commonProperties.
    """
    events: dict[str, Any] = {}
    common = load("event")
    for name in EVENT_DATASETS:
        schema = load(name)
        own = [f for f in schema.fields if f not in common.fields]
        for route in schema.events:
            event = events.setdefault(route.name, {"owner": "suggestion-telemetry", "comment": schema.doc})
            event.update(_declared(own))
    return {"events": dict(sorted(events.items())), "commonProperties": _declared(common.fields)}


def _declared(fields: Iterable[Field]) -> dict[str, Any]:
    declared = {}
    for f in fields:
        for source in f.sources:
            group, _, wire = source.partition("=>")[0].partition(".")
            if group in ("properties", "measurements"):
                declared[wire.lower()] = _declaration(f, group)
    return declared


def _declaration(f: Field, group: str) -> dict[str, Any]:
    declared = {"classification": f.classification, "purpose": f.purpose, "comment": f.doc, "endPoint": "none"}
    return {**declared, "isMeasurement": True} if group == "measurements" else declared


def main(folder: str) -> None:
    """Write both files into the folder."""
    target = Path(folder)
    target.mkdir(exist_ok=True)
    (target / "datasets.md").write_text(datasets_page())
    (target / "telemetry.json").write_text(json.dumps(telemetry_json(), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs")
