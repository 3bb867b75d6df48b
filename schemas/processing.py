"""The record of processing in docs/privacy.md: what the contract says of each dataset, and what the operator states.

python -m schemas.processing docs/privacy.md --statements statements.toml
"""

import argparse
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.dictionary import DATASETS
from schemas.errors import InvalidOptions
from schemas.registry import Schema, load

BEGIN, END = "<!-- record of processing: made by `make docs`, do not edit -->", "<!-- end of the record -->"

STATED = {
    "controller": "who decides on the processing, with an address",
    "contact": "the data protection officer, or who answers people",
    "basis": "the legal basis of each purpose, such as consent; consent is recorded as telemetry_level on each event",
    "recipients": "who gets the datasets, and in which countries they are",
    "storage": "where the output, the raw files and the key ring lie, and who may read each",
}
"""What only the operator knows -> what has to be stated."""

_PURPOSES = {
    "FeatureInsight": "to learn how suggestions are used, and whether they help",
    "PerformanceAndHealth": "to find errors, slowness and what was refused",
}
_CLASSES = {
    "EndUserPseudonymizedInformation": "identifiers, as pseudonyms",
    "CustomerContent": "code and contents of requests",
    "CallstackOrException": "texts of errors",
    "SystemMetaData": "facts of the system and of its use",
}
_UNSTATED = "**to be stated by the operator:** {}"


def record_of_processing(statements: Mapping[str, str]) -> str:
    """The record as Markdown; what the statements leave out is marked as missing."""
    stated = [f"| {name} | {statements.get(name) or _UNSTATED.format(what)} |" for name, what in STATED.items()]
    parts = ["| stated by the operator | |", "| --- | --- |", *stated, ""]
    parts += ["| dataset | what for | what of people stands in it | level it needs | kept, in days | who can read it |"]
    parts += ["| --- | --- | --- | --- | --- | --- |", *(_row(load(name)) for name in DATASETS), ""]
    parts += ["What is done to a value before it lands, by column:", "", "| treatment | columns |", "| --- | --- |"]
    parts += _treatments()
    return "\n".join(parts) + "\n"


def with_record(page: str, record: str) -> str:
    """The page with the record in its place; raises InvalidOptions where the page has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InvalidOptions(f"the page has no place for the record: between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{record}\n{END}{after}"


def read_statements(path: str) -> dict[str, str]:
    """What the operator states, from a TOML file of texts; raises InvalidOptions on anything else."""
    try:
        found: dict[str, Any] = tomllib.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InvalidOptions(f"--statements {path}: {type(error).__name__}; a TOML file of texts is needed") from None
    for name, text in found.items():
        if name not in STATED or not isinstance(text, str) or "\n" in text or "|" in text:
            raise InvalidOptions(
                f"--statements {path}: {name} is none of {', '.join(STATED)}, or no text of one line without |"
            )
    return found


def _row(schema: Schema) -> str:
    purposes = sorted({_PURPOSES[f.purpose] for f in schema.fields})
    classes = [words for name, words in _CLASSES.items() if any(f.classification == name for f in schema.fields)]
    roles = sorted({f"the role {f.role}" for f in schema.fields if f.role})
    roles += ["the role operators (bodies)"] if any(f.treatment.startswith("seal") for f in schema.fields) else []
    readers = f"its code: {', '.join(roles)}; the rest: who may read the output" if schema.name == "snippets" else (
        "; ".join([*roles, "who may read the output"])
    )  # fmt: skip
    return (
        f"| {schema.name} | {'; '.join(purposes)} | {'; '.join(classes)} | {schema.level} | "
        f"{schema.delete_after_days} | {readers} |"
    )


def _treatments() -> list[str]:
    columns: dict[str, list[str]] = {}
    for name in DATASETS:
        for f in load(name).fields:
            if f.treatment != "keep" and f.name not in columns.setdefault(f.treatment, []):
                columns[f.treatment].append(f.name)
    kept = (
        "all others; a text only where it is a word of its declared shape (docs/datasets.md), else it lands as `other`"
    )
    return [*(f"| {t} | {', '.join(f'`{n}`' for n in names)} |" for t, names in sorted(columns.items())),
            f"| keep | {kept} |"]  # fmt: skip


def main(argv: Sequence[str]) -> None:
    """Puts the record into a page; raises InvalidOptions."""
    parser = argparse.ArgumentParser(prog="python -m schemas.processing", description="Write the record of processing.")
    parser.add_argument("page", help="The page that has a place for it, such as docs/privacy.md.")
    parser.add_argument("--statements", metavar="FILE", help=f"TOML of what the operator states: {', '.join(STATED)}.")
    given = parser.parse_args(argv)
    statements = read_statements(given.statements) if given.statements else {}
    path = Path(given.page)
    path.write_text(with_record(path.read_text(), record_of_processing(statements)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InvalidOptions as error:
        sys.exit(f"error: {error}")
