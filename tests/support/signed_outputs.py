"""A signed output of three runs and two days, made once, and ways to tamper with it."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines import verify
from schemas.errors import UnbalancedBooks
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from transforms.core.keys.open_ring import open_signer
from transforms.core.keys.public_key import key_line


def make_signed_output(folder: Path) -> Path:
    """Two days, and an input that is run again with more: manifests 1 to 3 and files that one of them replaced."""
    for number, day in enumerate(("2026-03-29", "2026-03-30")):
        events = []
        for event in range(3):
            shown = sample()
            shown["collector"]["received_at"] = f"{day}T12:00:0{event}Z"
            properties = shown["data"]["baseData"]["properties"]
            properties["unique_id"] = f"8f1d7a52-0000-4000-8000-0000000{number}000{event}"
            properties["clientCompletionId"] = f"d2b10000-0000-4000-8000-0000000{number}000{event}"
            events.append(shown)
        write_lines(folder / f"{number}.ndjson", [*events, b"{"])
        run_batch(folder / f"{number}.ndjson", folder / "out", "--close_open_suggestions")
    write_lines(folder / "2.ndjson", [sample("snippets/pass/engine.prompt")])
    run_batch(folder / "2.ndjson", folder / "out")
    return folder / "out"


def write_public_key(path: Path, key_ring: str = KEY_RING) -> Path:
    """The public half of the tests' ring, kept apart from any output."""
    signer = open_signer(key_ring)
    assert signer is not None
    path.write_bytes(key_line(signer.public_key))
    return path


def first(output: Path, pattern: str) -> Path:
    return sorted(output.glob(pattern))[0]


def alter_cell(path: Path) -> None:
    """Another value in one cell of the first plain text column, written as the same kind of file."""
    reader = pq.ParquetFile(path)
    table = reader.read(columns=[n for n in reader.schema_arrow.names if n != "body"])
    index = next(n for n, f in enumerate(table.schema) if pa.types.is_string(f.type))
    column = pc.replace_substring_regex(table.column(index).cast(pa.string()), ".", "f", max_replacements=1)
    out = io.BytesIO()
    pq.write_table(table.set_column(index, table.schema.field(index).name, column), out, compression="zstd")
    path.write_bytes(out.getvalue())


def swap(one: Path, other: Path) -> None:
    first_bytes, second_bytes = one.read_bytes(), other.read_bytes()
    one.write_bytes(second_bytes)
    other.write_bytes(first_bytes)


def remove_day(output: Path, day: str) -> None:
    for folder in output.glob(f"*/received_date={day}"):
        shutil.rmtree(folder)


def edit_manifest(output: Path, number: int, change: Callable[[dict], None]) -> None:
    """A manifest whose content is another one, with the signature that it had."""
    path = output / f"runs/manifests/output/000000/{number:09d}.jsonl"
    body, signature, _ = path.read_bytes().split(b"\n")
    document = json.loads(body)
    change(document)
    path.write_bytes(json.dumps(document, separators=(",", ":")).encode() + b"\n" + signature + b"\n")


def verified(output: Path | str, *flags: str) -> None:
    verify.main([f"--datasets={output}", *flags])


def problems(output: Path | str, capsys, *flags: str) -> list[str]:
    """The lines that verify prints when it refuses; it must."""
    capsys.readouterr()
    with pytest.raises(UnbalancedBooks):
        verified(output, *flags)
    return capsys.readouterr().out.splitlines()
