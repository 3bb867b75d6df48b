"""Code at rest: a role's columns open with its key of the month, and with nothing else."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import KeyUnavailable
from schemas.registry import EVENT_DATASETS, load
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.keys.role_encryption import (
    _OpeningKms,
    _SealingKms,
    columns_by_role,
    decryption_properties,
    encryption_properties,
)
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.parquet import parquet_bytes

MONTH = "2026-03"
BY_ROLE = columns_by_role(load("snippets"))
PLAIN = ["event_id", "language"]
CODE = {name: f"def {name}(): pass  # {'x' * 20}" for columns in BY_ROLE.values() for name in columns}


@pytest.fixture(scope="module")
def made() -> tuple[KeyRing, dict[str, PrivateKeys]]:
    ring, operators = keyring.create()
    private = {role: PrivateKeys(role, {}) for role in ROLES}
    private[OPERATORS].keys[STANDING] = operators
    for month in (MONTH, "2026-04"):
        for role, key in ring.add_month(month).items():
            private[role].keys[month] = key
    return ring, private


def written(ring: KeyRing, month: str = MONTH) -> bytes:
    rows = pa.table({**{name: [name] * 3 for name in PLAIN}, **{name: [text] * 3 for name, text in CODE.items()}})
    out = io.BytesIO()
    properties = encryption_properties(load("snippets"), step_keys_of(ring).roles, month)
    pq.write_table(rows, out, encryption_properties=properties)
    return out.getvalue()


def read(data: bytes, keys: PrivateKeys | None, columns: list[str]) -> list[dict[str, Any]]:
    properties = decryption_properties(keys) if keys else None
    reader = pq.ParquetFile(io.BytesIO(data), decryption_properties=properties)
    return pa.Table.from_batches(reader.iter_batches(columns=columns)).to_pylist()


def test_a_role_reads_the_plain_columns_and_its_own(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    ring, private = made
    data = written(ring)
    assert {*BY_ROLE} == {"prompts", "completions"}
    for role, own in BY_ROLE.items():
        rows = read(data, private[role], [*PLAIN, *own])
        assert rows == [{**{n: n for n in PLAIN}, **{n: CODE[n] for n in own}}] * 3
        for other in [column for columns in BY_ROLE.values() for column in columns if column not in own]:
            with pytest.raises(PermissionError, match=f"role {role} may not read what .*@{MONTH} protects"):
                read(data, private[role], [other])


def test_who_has_no_key_reads_the_plain_columns_alone(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    data = written(made[0])
    assert read(data, None, PLAIN) == [{n: n for n in PLAIN}] * 3
    with pytest.raises(OSError, match=r"(?i)decrypt|crypto"):
        read(data, None, [BY_ROLE["prompts"][0]])
    assert not any(text.encode() in data for text in CODE.values())


@pytest.mark.parametrize("role", ["prompts", "completions"])
def test_only_the_months_own_key_opens(made: tuple[KeyRing, dict[str, PrivateKeys]], role: str) -> None:
    ring, private = made
    data, own = written(ring), BY_ROLE[role]
    without = PrivateKeys(role, {m: k for m, k in private[role].keys.items() if m != MONTH})
    with pytest.raises(PermissionError, match=f"the {role} key of {MONTH} is not in the key file"):
        read(data, without, own)
    swapped = PrivateKeys(role, {MONTH: private[role].keys["2026-04"]})
    with pytest.raises(PermissionError, match="does not open"):
        read(data, swapped, own)
    with pytest.raises(PermissionError, match=r"role operators may not read"):
        read(data, private[OPERATORS], own)
    assert read(written(ring, "2026-04"), without, own)


def test_a_month_without_a_public_key_is_refused_before_anything_is_written(
    made: tuple[KeyRing, dict[str, PrivateKeys]],
) -> None:
    roles = step_keys_of(made[0]).roles
    with pytest.raises(KeyUnavailable, match=r"no public key of role .* for 2026-05"):
        encryption_properties(load("snippets"), roles, "2026-05")
    for name in EVENT_DATASETS:
        if name != "snippets":
            assert encryption_properties(load(name), roles, "2026-05") is None


def test_every_file_has_data_keys_of_its_own(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    first, second = (written(made[0]) for _ in range(2))
    assert first != second
    assert read(first, made[1]["prompts"], BY_ROLE["prompts"]) == read(second, made[1]["prompts"], BY_ROLE["prompts"])


def test_who_writes_cannot_read_and_who_reads_cannot_write(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    ring, private = made
    sealing = _SealingKms(step_keys_of(ring).roles, ["prompts", "completions"])
    wrapped = sealing.wrap_key(b"k" * 32, f"prompts@{MONTH}")
    assert [*json.loads(wrapped)] == ["prompts"]
    with pytest.raises(PermissionError, match="no private key"):
        sealing.unwrap_key(wrapped, f"prompts@{MONTH}")
    opening = _OpeningKms(private["prompts"])
    assert opening.unwrap_key(wrapped, f"prompts@{MONTH}") == b"k" * 32
    with pytest.raises(PermissionError, match="does not wrap"):
        opening.wrap_key(b"k" * 32, f"prompts@{MONTH}")
    footer = sealing.wrap_key(b"f" * 32, f"footer@{MONTH}")
    for role in ("prompts", "completions"):  # each checks the plain footer with it
        assert _OpeningKms(private[role]).unwrap_key(footer, f"footer@{MONTH}") == b"f" * 32


def test_a_flipped_bit_of_the_code_is_an_error_and_no_other_text(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    ring, private = made
    data, column = written(ring), BY_ROLE["prompts"][0]
    place = pq.ParquetFile(io.BytesIO(data), decryption_properties=decryption_properties(private["prompts"]))
    names = place.schema_arrow.names
    chunk = place.metadata.row_group(0).column(names.index(column))
    at = chunk.data_page_offset + chunk.total_compressed_size // 2
    flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pytest.raises(OSError, match=r"(?i)decrypt|tag|crypto|ciphertext"):
        read(flipped, private["prompts"], [column])


def test_files_with_an_index_of_pages_open_with_and_without_keys(
    tmp_path: Path, made: tuple[KeyRing, dict[str, PrivateKeys]]
) -> None:
    ring, private = made
    rows, schema = 20_000, load("snippets").arrow
    empty = {"string": "", "int32": 0, "int64": 0, "timestamp[us, tz=UTC]": datetime(2026, 3, 31, tzinfo=UTC)}
    row = {f.name: CODE.get(f.name) if f.nullable else empty[str(f.type)] for f in schema}
    table = pa.Table.from_pylist([{**row, "event_id": f"{n:032x}"} for n in range(rows)], schema)
    properties = encryption_properties(load("snippets"), step_keys_of(ring).roles, MONTH)
    (tmp_path / "a.parquet").write_bytes(data := parquet_bytes("snippets", table, properties))
    assert pq.read_metadata(io.BytesIO(data)).row_group(0).column(0).has_column_index
    for role, columns in BY_ROLE.items():
        found = read(data, private[role], ["event_id", *columns])
        assert (len(found), found[-1]) == (rows, {"event_id": f"{rows - 1:032x}", **{c: CODE[c] for c in columns}})
    last = f"event_id > '{rows - 8:032x}'"
    assert duckdb.sql(f"select count(*) from '{tmp_path}/a.parquet' where {last}").fetchall() == [(7,)]
    plain = pl.scan_parquet(tmp_path / "a.parquet").filter(pl.col("event_id") > f"{rows - 8:032x}")
    assert plain.select("event_id").collect().height == 7
