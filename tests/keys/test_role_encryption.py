"""Code at rest: a role's columns open with its key of the month, and with nothing else."""

import base64
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
from transforms.core.keys.readers import Reader
from transforms.core.keys.role_encryption import (
    _OpeningKms,
    _SealingKms,
    columns_by_role,
    decryption_properties,
    encryption_properties,
)
from transforms.core.keys.roles import OPERATORS, ROLES, STANDING
from transforms.core.keys.seal import seal_to
from transforms.core.keys.step_keys import RoleKeys, step_keys_of
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


def place_in(month: str, day: int = 31, dataset: str = "snippets", name: str = "a-0000of0001.parquet") -> str:
    return f"{dataset}/received_date={month}-{min(day, 30):02d}/{name}"


def written(ring: KeyRing, month: str = MONTH) -> bytes:
    rows = pa.table({**{name: [name] * 3 for name in PLAIN}, **{name: [text] * 3 for name, text in CODE.items()}})
    out = io.BytesIO()
    properties = encryption_properties(load("snippets"), step_keys_of(ring).roles, month, place_in(month))
    pq.write_table(rows, out, encryption_properties=properties)
    return out.getvalue()


def read(data: bytes, keys: PrivateKeys | None, columns: list[str], place: str | None = None) -> list[dict[str, Any]]:
    properties = decryption_properties(keys, place or place_in(MONTH)) if keys else None
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
    assert read(written(ring, "2026-04"), without, own, place_in("2026-04"))


def test_a_month_without_a_public_key_is_refused_before_anything_is_written(
    made: tuple[KeyRing, dict[str, PrivateKeys]],
) -> None:
    roles = step_keys_of(made[0]).roles
    with pytest.raises(KeyUnavailable, match=r"no public key of role .* for 2026-05"):
        encryption_properties(load("snippets"), roles, "2026-05", place_in("2026-05"))
    for name in EVENT_DATASETS:
        if name != "snippets":
            assert encryption_properties(load(name), roles, "2026-05", place_in("2026-05")) is None


def test_every_file_has_data_keys_of_its_own(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    first, second = (written(made[0]) for _ in range(2))
    assert first != second
    assert read(first, made[1]["prompts"], BY_ROLE["prompts"]) == read(second, made[1]["prompts"], BY_ROLE["prompts"])


def test_who_writes_cannot_read_and_who_reads_cannot_write(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    ring, private = made
    sealing = _SealingKms(step_keys_of(ring).roles, ["prompts", "completions"], place_in(MONTH))
    wrapped = sealing.wrap_key(b"k" * 32, f"prompts@{MONTH}")
    assert [*json.loads(wrapped)] == ["prompts", "@bound"]
    with pytest.raises(PermissionError, match="no private key"):
        sealing.unwrap_key(wrapped, f"prompts@{MONTH}")
    opening = _OpeningKms(private["prompts"], place_in(MONTH))
    assert opening.unwrap_key(wrapped, f"prompts@{MONTH}") == b"k" * 32
    with pytest.raises(PermissionError, match="does not wrap"):
        opening.wrap_key(b"k" * 32, f"prompts@{MONTH}")
    footer = sealing.wrap_key(b"f" * 32, f"footer@{MONTH}")
    for role in ("prompts", "completions"):  # each checks the plain footer with it
        assert _OpeningKms(private[role], place_in(MONTH)).unwrap_key(footer, f"footer@{MONTH}") == b"f" * 32


def test_a_flipped_bit_of_the_code_is_an_error_and_no_other_text(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    ring, private = made
    data, column = written(ring), BY_ROLE["prompts"][0]
    place = pq.ParquetFile(
        io.BytesIO(data), decryption_properties=decryption_properties(private["prompts"], place_in(MONTH))
    )
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
    properties = encryption_properties(load("snippets"), step_keys_of(ring).roles, MONTH, place_in(MONTH))
    (tmp_path / "a.parquet").write_bytes(data := parquet_bytes("snippets", table, properties))
    assert pq.read_metadata(io.BytesIO(data)).row_group(0).column(0).has_column_index
    for role, columns in BY_ROLE.items():
        found = read(data, private[role], ["event_id", *columns])
        assert (len(found), found[-1]) == (rows, {"event_id": f"{rows - 1:032x}", **{c: CODE[c] for c in columns}})
    last = f"event_id > '{rows - 8:032x}'"
    assert duckdb.sql(f"select count(*) from '{tmp_path}/a.parquet' where {last}").fetchall() == [(7,)]
    plain = pl.scan_parquet(tmp_path / "a.parquet").filter(pl.col("event_id") > f"{rows - 8:032x}")
    assert plain.select("event_id").collect().height == 7


def test_each_reader_of_a_role_opens_its_columns_with_a_key_of_her_own() -> None:
    ring, _ = keyring.create()
    private = {h: PrivateKeys(h.partition("/")[0], {}, h.rpartition("/")[2]) for h in ("prompts", "completions")}
    for reader in ("alice", "bob"):
        ring.readers["completions"][reader] = Reader(since="2026-04" if reader == "bob" else None)
        private[f"completions/{reader}"] = PrivateKeys("completions", {}, reader)
    for month in (MONTH, "2026-04"):
        for holder, key in ring.add_month(month).items():
            private[holder].keys[month] = key
    march, april = written(ring), written(ring, "2026-04")
    for holder in ("completions", "completions/alice"):
        assert (
            read(march, private[holder], BY_ROLE["completions"]) == [{n: CODE[n] for n in BY_ROLE["completions"]}] * 3
        )
    for data, month in ((march, MONTH), (april, "2026-04")):
        with pytest.raises(PermissionError, match=f"role completions may not read what prompts@{month} protects"):
            read(data, private["completions/alice"], BY_ROLE["prompts"], place_in(month))
    with pytest.raises(PermissionError, match=rf"reader bob .* had no key when this was written \(key id {MONTH}\)"):
        read(march, private["completions/bob"], BY_ROLE["completions"])
    assert read(april, private["completions/bob"], BY_ROLE["completions"], place_in("2026-04"))
    stranger = PrivateKeys("completions", private["completions/bob"].keys, "alice")
    with pytest.raises(PermissionError, match="does not open"):
        read(april, stranger, BY_ROLE["completions"], place_in("2026-04"))


def test_what_was_sealed_before_readers_had_names_opens_as_it_did(made: tuple[KeyRing, dict[str, PrivateKeys]]) -> None:
    """The wrapped key of a file of an older version: the role's name alone, bound to role and month."""
    public = made[0].public_keys["prompts"]["prompts"][MONTH]
    wrapped = json.dumps(
        {"prompts": base64.b64encode(seal_to(public, b"k" * 32, f"prompts@{MONTH}".encode())).decode()}
    )
    assert _OpeningKms(made[1]["prompts"], place_in(MONTH)).unwrap_key(wrapped, f"prompts@{MONTH}") == b"k" * 32


@pytest.mark.parametrize(
    "place",
    [place_in(MONTH, day=2), place_in(MONTH, name="b-0000of0001.parquet"), place_in(MONTH, dataset="displays"),
     place_in("2026-04"), "elsewhere"],
)  # fmt: skip
def test_a_file_opens_in_its_own_place_alone(made: tuple[KeyRing, dict[str, PrivateKeys]], place: str) -> None:
    """Dataset, day and name: the same file under another one does not open, even with the right key."""
    data, own = written(made[0]), BY_ROLE["prompts"]
    assert read(data, made[1]["prompts"], own)
    with pytest.raises(PermissionError, match="or the file was written as another one than"):
        read(data, made[1]["prompts"], own, place)


def test_a_file_of_an_older_version_opens_within_its_month(
    made: tuple[KeyRing, dict[str, PrivateKeys]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those bound nothing; a file whose mark is taken away is none of them and does not open."""
    ring, private = made
    own = BY_ROLE["prompts"]
    wrap = _SealingKms.wrap_key

    def without_mark(self: _SealingKms, key_bytes: bytes, master_key_identifier: str) -> str:
        told = json.loads(wrap(self, key_bytes, master_key_identifier))
        return json.dumps({name: value for name, value in told.items() if name != "@bound"})

    monkeypatch.setattr(_SealingKms, "wrap_key", without_mark)
    downgraded = written(ring)
    with pytest.raises(PermissionError, match="does not open"):
        read(downgraded, private["prompts"], own)
    monkeypatch.setattr(type(step_keys_of(ring).roles), "seal", _seal_unbound)
    old = written(ring)
    assert read(old, private["prompts"], own)
    assert read(old, private["prompts"], own, place_in(MONTH, day=2))
    with pytest.raises(PermissionError, match=f"was written for the month {MONTH}, which is not that of"):
        read(old, private["prompts"], own, place_in("2026-04"))


def _seal_unbound(self: RoleKeys, role: str, key_id: str, plain: bytes, holder: str = "", place: str = "") -> bytes:
    from transforms.core.keys.roles import role_context
    from transforms.core.keys.seal import seal_to

    return seal_to(
        self.public_keys[role][key_id][(holder or role).rpartition("/")[2]], plain, role_context(holder, key_id)
    )
