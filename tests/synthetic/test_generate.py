"""Laws of made-up data: the same seed gives the same bytes, and the truth beside it adds up and is found in it."""

import gzip
import io
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import fastavro
import pytest
import zstandard

from pipelines import generate
from pipelines.synthetic.collectors import _BAD_LINES
from pipelines.synthetic.events import CONTAINERS
from schemas.errors import InvalidOptions
from schemas.registry import EVENT_DATASETS

DAY = date(2026, 3, 29)
CODE = b"session.query(Order)"


def made(folder: Path, **more: Any) -> Path:
    generate.generate(str(folder), **{"events": 2000, "seed": 5, "day": DAY, **more})
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("generated"))


def truth_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def plain(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompress(data) if path.suffix == ".zst" else data


def payloads(folder: Path) -> list[bytes]:
    """Every line, and every event of every request."""
    found: list[bytes] = []
    for path in sorted((folder / "raw").iterdir()):
        if path.suffix != ".avro":
            found += plain(path).splitlines()
            continue
        for record in fastavro.reader(io.BytesIO(path.read_bytes())):
            body = gzip.decompress(record["body"]) if record["content_encoding"] == "gzip" else record["body"]
            found += [json.dumps(e).encode() for e in json.loads(body)] if body[:1] == b"[" else body.splitlines()
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(place: Path, tmp_path: Path) -> None:
    assert content(made(tmp_path / "again")) == content(place)
    other = content(made(tmp_path / "other", seed=4))
    assert not {*other.values()} & {*content(place).values()}


def test_the_people_are_as_many_as_asked_for(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    generate.main([f"--output={tmp_path / 'few'}", "--events=900", "--people=3", "--container=ndjson"])
    bodies = [json.loads(line) for line in payloads(tmp_path / "few") if b'"collector"' in line]
    assert len({body["collector"]["client_ip"] for body in bodies}) <= 3


def test_the_events_of_the_truth_are_those_in_the_files(place: Path) -> None:
    truth, found = truth_of(place), payloads(place)
    assert len(found) == truth["events"] >= 1500
    lines = sum(len(plain(p).splitlines()) for p in (place / "raw").iterdir() if p.suffix != ".avro")
    requests = sum(1 for p in (place / "raw").glob("*.avro") for _ in fastavro.reader(io.BytesIO(p.read_bytes())))
    assert lines + requests == truth["payloads"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_event_has_one_fate_and_every_count_a_place(tmp_path: Path, seed: int) -> None:
    truth = truth_of(made(tmp_path, seed=seed, events=4000))
    fates = [
        truth["landed"],
        truth["duplicate"],
        *(sum(truth[n].values()) for n in ("withheld", "outside_contract", "quarantined")),
    ]
    assert sum(fates) == truth["events"] == sum(truth["received_dates"].values())
    assert all(fates), "a fate that never comes would not be tested by what uses this data"
    assert {*truth["rows"]} == {*EVENT_DATASETS}
    assert truth["landed"] <= sum(truth["rows"].values()) <= 2 * truth["landed"]
    lives = truth["lives"]
    assert sum(lives["outcomes"].values()) == lives["suggestions"] >= lives["shown"] > 0
    for states in lives["persistence"].values():
        assert sum(states.values()) == lives["suggestions"]
    by_kind = truth["by_kind"]
    assert sum(found["suggestions"] for found in by_kind.values()) == lives["suggestions"]
    outcomes = by_kind["ghost_text"]["outcomes"]
    accepted = outcomes["accepted"] + outcomes.get("partially_accepted", 0)
    assert all(s["not_applicable"] == lives["suggestions"] - accepted for s in lives["persistence"].values())
    for found in by_kind.values():
        assert found["suggestions"] == sum(found["outcomes"].values()) == sum(found["survival_30s"].values()) > 0


def test_the_cells_of_rates_add_up_to_the_lives(place: Path) -> None:
    cells = [json.loads(line) for line in (place / "truth_acceptance.jsonl").read_text().splitlines()]
    lives, total = truth_of(place)["lives"], Counter[str]()
    for cell in cells:
        total.update({k: v for k, v in cell.items() if isinstance(v, int)})
        if cell["kind"] == "(any)":
            assert cell["failed_requests"] <= cell["requests"]
        if "shown" in cell:
            outcomes = ("accepted_full", "accepted_partial", "rejected", "dismissed", "no_outcome")
            assert sum(cell.get(name, 0) for name in outcomes) == cell["shown"]
            assert cell["accepted"] + cell["hidden"] + cell["ignored"] == cell["shown"]
            assert cell["displays"] >= cell["shown"]
    assert (total["shown"], total["displays"]) == (lives["shown"], lives["displays"])
    at_the_cursor = [truth_of(place)["by_kind"][kind]["suggestions"] for kind in ("ghost_text", "next_edit")]
    assert total["shown"] + total["suggestions_without_display"] == sum(at_the_cursor)
    dimensions = ("received_date", "kind", "language", "extension_version", "engine", "country")
    keys = [tuple(cell[name] for name in dimensions) for cell in cells]
    assert len({*keys}) == len(keys)


def test_all_of_a_days_data_is_of_that_day_or_came_late(place: Path) -> None:
    dates = {day for day in truth_of(place)["received_dates"] if day != "1970-01-01"}
    assert DAY.isoformat() in dates
    assert dates <= {"2026-03-29", "2026-03-30"}


def test_several_days_share_the_events(tmp_path: Path) -> None:
    dates = truth_of(made(tmp_path, days=3))["received_dates"]
    days = [dates[f"2026-03-{number}"] for number in (27, 28, 29)]
    assert min(days) > 0.25 * sum(dates.values())


def test_every_container_and_kind_of_client_is_there(place: Path) -> None:
    assert {"".join(p.suffixes).strip(".") for p in (place / "raw").iterdir()} == {*CONTAINERS}
    text = b"\n".join(payloads(place))
    for sign in (b'"1DS"', b'"sampleRate"', b"common.extversion", b"client_machineid", b"ExceptionData"):
        assert sign in text


@pytest.mark.parametrize("container", CONTAINERS)
def test_only_the_container_that_was_asked_for(tmp_path: Path, container: str) -> None:
    made(tmp_path, containers=[container], events=200)
    assert {p.name.split(".", 1)[1] for p in (tmp_path / "raw").iterdir()} == {container}
    assert len(payloads(tmp_path)) == truth_of(tmp_path)["events"]


def test_without_code_there_is_none(place: Path, tmp_path: Path) -> None:
    assert CODE in b"".join(payloads(place))
    assert CODE not in b"".join(payloads(made(tmp_path, with_code=False)))
    assert "snippets" not in truth_of(tmp_path)["rows"]


def test_without_rubbish_nothing_is_to_be_quarantined(tmp_path: Path) -> None:
    made(tmp_path, with_rubbish=False, events=4000)
    assert truth_of(tmp_path)["quarantined"] == {}
    for line in payloads(tmp_path):
        assert isinstance(json.loads(line), dict)
        assert not any(line.startswith(bad) for bad in _BAD_LINES)


@pytest.mark.parametrize("events", [1, 2, 13])
def test_a_handful_is_at_least_what_was_asked_for(tmp_path: Path, events: int) -> None:
    truth = truth_of(made(tmp_path, events=events))
    assert events <= truth["events"] < events + 200


def test_what_is_there_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [f"--output={tmp_path}/g", "--events=50", "--date=2026-03-29"]
    generate.main(argv)
    before = content(tmp_path)
    assert "events in" in capsys.readouterr().out
    with pytest.raises(InvalidOptions, match="there is generated data already"):
        generate.main(argv)
    assert content(tmp_path) == before
    for wrong in ("--date=29.3.2026", "--date=20260329", "--events=0", "--seed=-1", "--container=zip"):
        with pytest.raises(InvalidOptions, match=r"allowed is|expected|invalid choice"):
            generate.main([f"--output={tmp_path}/h", wrong])
    assert content(tmp_path) == before
