"""The page beside the rows: what they are, in words of the contract."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pyarrow as pa

from pipelines.exporting.rows import PAYLOAD, RECEIVED_DATE, REQUEST
from schemas.registry import contract_digest, load

_OWN = {
    RECEIVED_DATE: "Day in UTC on which it was received.",
    PAYLOAD: "What was sent, as it was sent.",
    REQUEST: "What the collector noted around it: when it came, from which address, and what was permitted.",
}


def readme(tables: Mapping[str, pa.Table], reader: str, notes: Iterable[str]) -> str:
    """The page; `reader` is who stands for the export, `notes` say what could not be opened."""
    lines = [
        "# What is known of you",
        "",
        "These are all rows about one person in the datasets of suggestion telemetry: what your editor sent about code "
        "suggestions, after it was protected. Each dataset is there twice, with the same rows: as `.jsonl` (text, one "
        "JSON object a line) and as `.parquet` (for programs).",
        "",
        "Identifiers of machine, session, user and events are replaced by pseudonyms: 32 hex digits that stand for "
        "them. An address was turned into country, region and city and is not kept. Texts were searched for secrets, "
        "and what was found stands as `<REDACTED:kind>`.",
        "",
        f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by {reader}, who stands for it. Contract {contract_digest()}.",
        "",
        *(f"- {note}" for note in notes),
        "",
        "| dataset | rows |",
        "| --- | --- |",
        *(f"| {name} | {table.num_rows:,} |" for name, table in tables.items()),
        "",
    ]
    for name, table in tables.items():
        lines += _section(name, table)
    return "\n".join(lines)


def _section(name: str, table: pa.Table) -> list[str]:
    schema = load(name)
    fields = {f.name: f for f in schema.fields}
    lines = [f"## {name}", "", f"{schema.doc} Kept {schema.delete_after_days} days.", ""]
    lines += ["| column | unit | what it is | why it is kept |", "| --- | --- | --- | --- |"]
    for column in table.column_names:
        if (own := _OWN.get(column)) is not None:
            lines.append(f"| {column} | | {own} | |")
        else:
            f = fields[column]
            lines.append(f"| {column} | {f.unit or ''} | {f.doc} | {f.purpose} |")
    return [*lines, ""]
