"""Who can connect a person's two months, and with which keys: the claims of docs/privacy.md, tried on real outputs."""

import json
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import verify
from schemas.registry import load
from tests.conftest import KEY_RING, all_rows, landing, run_batch, write_lines
from tests.support import border
from tests.support.border import LATE, PEOPLE, in_memory, linked, machine, of_person, rows_of, slots_by_person
from tests.support.windowed import Windows
from transforms.core.keys import keyring
from transforms.core.keys.pseudonyms import CORRELATION_DOMAINS, deciphered
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.layout import parse_name

MARCH, APRIL = "2026-03", "2026-04"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("border")
    write_lines(folder / "raw.ndjson", border.lines())
    run_batch(folder / "raw.ndjson", folder / "out", "--buckets=1", "--close_open_suggestions")
    return folder / "out"


def with_keys(*months: str) -> Any:
    """What the keys of some months make of a row, as the ring's holder has them."""
    keys = step_keys_of(keyring.load(KEY_RING)).landing.id_keys

    def read(dataset: str, row: dict[str, Any]) -> dict[str, Any]:
        made = dict(row)
        for field in load(dataset).fields:
            if field.pseudonym_domain in CORRELATION_DOMAINS and row.get(field.name) and row["key_id"] in months:
                key = keys[row["key_id"]][str(field.pseudonym_domain)]
                made[field.name] = deciphered(key, bytes.fromhex(row[field.name])).hex()
        return made

    return read


def test_people_are_there_in_both_months_and_their_lives_cross_the_border(output: Path) -> None:
    """Else nothing that follows would say anything."""
    rows = [row for _, _, row in rows_of(output)]
    for month in (MARCH, APRIL):
        assert {row["installation_id"] for row in rows if row["key_id"] == month} == {*of_person(month)}
    crossing = [row for row in rows if row["key_id"] == MARCH and row.get("received_at", border.BORDER) > border.BORDER]
    assert {row["installation_id"] for row in crossing} == {*of_person(MARCH)}


def test_nobody_is_linked_by_equal_ids_without_a_key(output: Path) -> None:
    assert linked(output) == set()


def test_no_value_of_an_id_stands_in_rows_of_both_months(output: Path) -> None:
    columns = {
        f.name for name in ("displays", "outcomes", "suggestions") for f in load(name).fields if f.pseudonym_domain
    }
    seen: dict[str, set[str]] = defaultdict(set)
    for _, _, row in rows_of(output):
        for name in columns:
            if row.get(name):
                seen[row[name]].add(row["key_id"])
    assert len(seen) > 10 * PEOPLE
    assert all(len(months) == 1 for months in seen.values())


@pytest.mark.parametrize("months", [(MARCH,), (APRIL,)])
def test_nobody_is_linked_with_the_keys_of_one_month(output: Path, months: tuple[str, ...]) -> None:
    assert linked(output, with_keys(*months)) == set()


def test_with_the_keys_of_both_months_those_with_a_late_fact_are_linked_and_nobody_else(output: Path) -> None:
    assert linked(output, with_keys(MARCH, APRIL)) == {*range(LATE)}


def test_with_the_ring_and_the_raw_id_everybody_is_found(output: Path) -> None:
    """The operator's own use: erasure and access."""
    held = {row.get("installation_id") for _, _, row in rows_of(output)}
    assert {*of_person(MARCH)} | {*of_person(APRIL)} <= held


def test_slots_tell_nobody_apart_without_the_ring(output: Path) -> None:
    found = slots_by_person(output)
    march, april = ([found[each] for each in of_person(month)] for month in (MARCH, APRIL))
    assert not [n for n in range(PEOPLE) if len({*march[n], *april[n]}) < 4], "no person's rows share one value"
    pairs = [(a, b) for n in range(PEOPLE) for a in march[n] for b in april[n]]
    assert 0.05 < sum(a == b for a, b in pairs) / len(pairs) < 0.075, "of 16 slots one in 16 pairs agrees by chance"


def test_with_the_ring_slots_part_people_into_sixteen_groups(output: Path) -> None:
    plain: dict[str, set[int]] = defaultdict(set)
    for path in output.glob("displays/*/*.parquet"):
        table = landing().from_files("displays", pq.ParquetFile(path).read())
        for person, slot in zip(table["installation_id"].to_pylist(), table["slot_code"].to_pylist(), strict=True):
            plain[person].add(slot)
    for march, april in zip(of_person(MARCH), of_person(APRIL), strict=True):
        assert plain[march] == plain[april]
        assert len(plain[march]) == 1


def test_names_of_files_tell_a_bucket_where_there_are_several(tmp_path: Path, output: Path) -> None:
    """What is left without a key: log2 of the buckets, in bits, until a day is compacted. One bucket tells nothing."""
    assert {parse_name(name).bucket for _, name, _ in rows_of(output)} == {0}  # type: ignore[union-attr]
    write_lines(tmp_path / "raw.ndjson", border.lines())
    run_batch(tmp_path / "raw.ndjson", tmp_path / "out", "--buckets=4")
    buckets = defaultdict(set)
    for _, name, row in rows_of(tmp_path / "out"):
        if row.get("installation_id"):
            buckets[row["installation_id"]].add(parse_name(name).bucket)  # type: ignore[union-attr]
    for march, april in zip(of_person(MARCH), of_person(APRIL), strict=True):
        assert buckets[march] == buckets[april]
        assert len(buckets[march]) == 1
    assert linked(tmp_path / "out") == set()


def test_a_stream_leaves_the_same_rows(tmp_path: Path, output: Path) -> None:
    def moment(line: bytes) -> float:
        return datetime.fromisoformat(json.loads(line)["collector"]["received_at"]).timestamp()

    timed = sorted((moment(line), line) for line in border.lines())
    last = timed[-1][0] + timedelta(hours=2).total_seconds()
    closing = json.loads(timed[-1][1])
    closing["collector"] |= {
        "received_at": datetime.fromtimestamp(last, border.BORDER.tzinfo).isoformat(),
        "telemetry_level": "off",
    }
    Windows(tmp_path / "out", buckets=1).run([*timed, (last, json.dumps(closing).encode())], 300, restarts={60, 61})
    assert linked(tmp_path / "out") == set()
    streamed, batch = all_rows(tmp_path / "out"), all_rows(output)
    for dataset in ("requests", "displays", "outcomes", "persistence_checks"):
        assert streamed[dataset] == batch[dataset]


def test_suggestions_join_over_the_border_and_their_rows_can_be_found_by_their_ids(output: Path) -> None:
    rows = [(dataset, row) for dataset, _, row in rows_of(output)]
    suggestions = [row for dataset, row in rows if dataset == "suggestions"]
    assert len(suggestions) == 5 * PEOPLE
    assert {row["outcome"] for row in suggestions} == {"accepted"}
    crossing = [row for row in suggestions if row["first_received_at"] < border.BORDER <= row["last_received_at"]]
    assert len(crossing) == PEOPLE
    for row in crossing:
        facts = [
            (dataset, r)
            for dataset, r in rows
            if dataset != "suggestions" and r["suggestion_id"] == row["suggestion_id"]
        ]
        assert sorted(dataset for dataset, _ in facts) == ["displays", "outcomes", "persistence_checks", "requests"]
        assert {r["installation_id"] for _, r in facts} == {row["installation_id"]}
        assert {r["key_id"] for _, r in facts} == {row["key_id"]} == {MARCH}


def test_whoever_is_the_only_one_of_a_kind_is_linked_by_that(tmp_path: Path) -> None:
    """Not defended: a habit that nobody else has is there in both months."""
    rare = [line.replace(b'"languageId": "python"', b'"languageId": "cobol"') if f'"{machine(7)}"'.encode() in line else line
            for line in border.lines()]  # fmt: skip
    write_lines(tmp_path / "raw.ndjson", rare)
    run_batch(tmp_path / "raw.ndjson", tmp_path / "out", "--buckets=1")
    found = {row["installation_id"] for _, _, row in rows_of(tmp_path / "out") if row.get("language") == "cobol"}
    assert found == {of_person(MARCH)[7], of_person(APRIL)[7]}
    assert linked(tmp_path / "out") == set()


def as_older(output: Path) -> None:
    """As the version before wrote it: ids have one key for good, slots are not masked."""
    for path in output.glob("*/received_date=*/*.parquet"):
        if (dataset := path.parts[-3]) != "ledger":
            table = landing().from_files(dataset, pq.ParquetFile(path).read())
            names = ["slot" if name == "slot_code" else name for name in table.column_names]
            pq.write_table(table.rename_columns(names), path)
    kept = json.loads((output / "_output.json").read_text())
    (output / "_output.json").write_text(json.dumps({**kept, "version": 3, "landing_from": None}))


def test_an_output_of_the_version_before_goes_on_over_the_border(tmp_path: Path) -> None:
    """Its months keep ids of one key, the next ones have their own; copies and lives are found over the change."""
    is_later = {
        line: json.loads(line)["collector"]["received_at"] >= border.BORDER.isoformat() for line in border.lines()
    }
    before, after = ([line for line, later in is_later.items() if later is which] for which in (False, True))
    copies = [line.replace(b"2026-03-31T23", b"2026-04-01T00") for line in before if b'"2026-03-31T23:5' in line]
    write_lines(tmp_path / "march.ndjson", before)
    write_lines(tmp_path / "april.ndjson", after + copies)
    for name in ("new", "older"):
        run_batch(tmp_path / "march.ndjson", tmp_path / name, "--buckets=2")
        if name == "older":
            as_older(tmp_path / name)
        books = run_batch(tmp_path / "april.ndjson", tmp_path / name, "--buckets=3", "--close_open_suggestions")
        assert books.duplicate == len(copies) > PEOPLE
    assert json.loads((tmp_path / "older" / "_output.json").read_text())["landing_from"] == APRIL
    assert in_memory(tmp_path / "older", APRIL) == in_memory(tmp_path / "new", "")
    assert len(in_memory(tmp_path / "new", "")["suggestions"]) == 5 * PEOPLE


def test_hours_and_days_of_the_border_land_as_one_input_does(tmp_path: Path, output: Path) -> None:
    by_hour: dict[str, list[bytes]] = defaultdict(list)
    for line in border.lines():
        by_hour[json.loads(line)["collector"]["received_at"][:13]].append(line)
    for hour, found in sorted(by_hour.items()):
        write_lines(tmp_path / f"{hour}.ndjson", found[::-1])
        run_batch(tmp_path / f"{hour}.ndjson", tmp_path / "out", "--buckets=2" if hour.endswith("0") else "--buckets=1")
    cut, whole = all_rows(tmp_path / "out"), all_rows(output)
    for dataset in ("requests", "displays", "outcomes", "persistence_checks"):
        assert cut[dataset] == whole[dataset]
    verify.main([f"--datasets={tmp_path}/out"])
