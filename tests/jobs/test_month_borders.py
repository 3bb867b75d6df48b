"""A run over a month's border: each event under the keys of its month, and one line where the next month is missing."""

from datetime import date
from pathlib import Path

import pytest

from pipelines import batch, keys, verify
from pipelines.keeping.months import check_days
from schemas.errors import InvalidOptions
from schemas.known_values import PACKAGED
from schemas.manifests import NO_MANIFESTS
from tests.conftest import all_rows, read_rows, run_batch, sample, write_lines
from transforms.core.keys import keyring
from transforms.core.keys.open_ring import open_quarantine
from transforms.core.quarantine.unprocessable import Unprocessable
from transforms.steps.decode_events import _Decode

BEFORE, AFTER = "2026-03-31T23:59:59.999999Z", "2026-04-01T00:00:00Z"


def event(received_at: str, unique_id: str) -> dict:
    document = sample()
    document["collector"]["received_at"] = received_at
    properties = document["data"]["baseData"]["properties"]
    for name in ("unique_id", "headerRequestId", "opportunityId", "clientCompletionId"):  # of a suggestion of its own
        properties[name] = f"{properties[name][:-1]}{unique_id}"
    return document


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "raw.ndjson", [event(BEFORE, "a"), event(AFTER, "b")])


def test_each_event_takes_the_keys_of_its_month(tmp_path: Path, raw: Path) -> None:
    keys.create(f"{tmp_path}/ring", "2026-03", 2)
    books = run_batch(raw, tmp_path / "out", f"--key_ring={tmp_path}/ring")
    assert (books.landed, books.quarantined.total()) == (2, 0)
    march, april = sorted(read_rows(tmp_path / "out", "displays"), key=lambda row: row["received_at"])
    assert (march["key_id"], april["key_id"]) == ("2026-03", "2026-04")
    assert march["installation_id"] != april["installation_id"]


def test_a_day_whose_month_is_missing_is_refused_in_one_line_before_anything_is_written(tmp_path: Path) -> None:
    keys.create(f"{tmp_path}/ring", "2026-03", 2)
    (tmp_path / "raw").mkdir()
    write_lines(tmp_path / "raw" / "2026-05-01.ndjson", [event("2026-05-01T00:00:00Z", "a")])
    flags = [
        f"--input={tmp_path}/raw/{{received_date}}.ndjson",
        f"--output={tmp_path}/out",
        f"--key_ring={tmp_path}/ring",
    ]
    with pytest.raises(InvalidOptions) as told:
        batch.run([*flags, "--received_date=2026-05-01"])
    assert str(told.value) == (
        "--received_date 2026-05-01: the key ring has 2026-03 to 2026-04: "
        f"python -m pipelines.keys rotate --key_ring {tmp_path}/ring --through 2026-05"
    )
    assert not (tmp_path / "out").exists()
    keys.rotate(f"{tmp_path}/ring", f"{tmp_path}/ring/private", "2026-05")
    assert batch.run([*flags, "--received_date=2026-05-01"]).landed == 1
    keys.destroy(f"{tmp_path}/ring", f"{tmp_path}/ring/private", "2026-05")
    with pytest.raises(InvalidOptions, match="the keys of 2026-05 are gone, and nothing can land"):
        check_days(keyring.load(f"{tmp_path}/ring"), "", [date(2026, 4, 30), date(2026, 5, 1)])


def test_an_input_that_landed_is_not_run_again_when_its_month_is_destroyed(tmp_path: Path, raw: Path) -> None:
    """Nothing could land in the place of its rows: they would go, and only their counts in quarantine would be left."""
    ring, output = f"--key_ring={tmp_path}/ring", tmp_path / "out"
    keys.create(f"{tmp_path}/ring", "2026-03", 2)
    run_batch(raw, output, ring)
    other = write_lines(tmp_path / "other.ndjson", [event(AFTER, "c")])
    run_batch(other, output, ring)
    keys.destroy(f"{tmp_path}/ring", f"{tmp_path}/ring/private", "2026-03")
    before = all_rows(output)
    with pytest.raises(InvalidOptions, match="it has landed, and the keys of 2026-03 were destroyed since"):
        run_batch(raw, output, ring)
    assert all_rows(output) == before
    verify.main([f"--datasets={output}", "--max_unjoined=100%"])
    assert run_batch(other, output, ring).landed == 1, "an input of other months is run again as ever"
    assert read_rows(output, "displays") == before["displays"]


def test_an_input_that_never_was_whole_is_run_to_its_end_when_its_month_is_destroyed(tmp_path: Path, raw: Path) -> None:
    ring, output = f"--key_ring={tmp_path}/ring", tmp_path / "out"
    keys.create(f"{tmp_path}/ring", "2026-03", 2)
    run_batch(raw, output, ring)
    for mark in (output / "ledger").rglob("*.parquet"):
        mark.unlink()
    keys.destroy(f"{tmp_path}/ring", f"{tmp_path}/ring/private", "2026-03")
    books = run_batch(raw, output, ring, "--max_quarantined_share=100%")
    assert (books.landed, books.quarantined.total()) == (1, 1)
    assert {row["key_id"] for row in read_rows(output, "displays")} == {"2026-04"}


def test_a_step_that_goes_on_sees_months_that_came_and_went(tmp_path: Path) -> None:
    """As in a job that does not end: its ring is rotated while it runs."""
    ring = f"{tmp_path}/ring"
    keys.create(ring, "2026-03", 1)
    step = _Decode(ring, 16, PACKAGED, Unprocessable(), NO_MANIFESTS)
    step.setup()
    first = step._decoder
    step.start_bundle()
    assert step._decoder is first
    keys.rotate(ring, f"{ring}/private", "2026-04")
    step.start_bundle()
    assert step._keys is open_quarantine(ring)
    assert "2026-04" in step._keys.epochs
    keys.destroy(ring, f"{ring}/private", "2026-03")
    step.start_bundle()
    assert step._keys.destroyed == {"2026-03"}
