"""What went aside, put together by what was wrong with it, of one input alone and never with a value."""

from collections import Counter
from pathlib import Path

from tests.conftest import run_batch, sample, write_lines
from transforms.core import storage
from transforms.core.batches import QUARANTINE
from transforms.core.output.layout import Output
from transforms.core.output.refused import Refused, refusals


def digest_of(path: Path) -> str:
    return storage.input_digest(storage.expand_inputs([str(path)]))


def test_kinds_are_counted_and_months_told(tmp_path: Path) -> None:
    wrong = sample()
    wrong["data"]["baseData"]["measurements"] = {"compCharLen": "SECRET-1"}
    others = [{**wrong, "time": f"2026-03-30T12:00:0{n}Z"} for n in range(3)]
    broken = [b'{"SECRET-2": ' + bytes([65 + n]) + b"}" for n in range(4)]
    write_lines(tmp_path / "a.ndjson", [*others, *broken, sample()])
    run_batch(tmp_path / "a.ndjson", tmp_path / "out", "--max_quarantined_share=100%")
    found = refusals(Output(str(tmp_path / "out")), digest_of(tmp_path / "a.ndjson"))
    assert found.kinds.total() == 7
    kinds = {(kind.reason, kind.field): count for kind, count in found.kinds.items()}
    assert sum(count for (reason, _), count in kinds.items() if reason == "malformed_payload") == 4
    assert len([1 for reason, _ in kinds if reason == "malformed_payload"]) == 1  # places within lines are one kind
    assert [(f, c) for (r, f), c in kinds.items() if r != "malformed_payload"] == [
        ("data.baseData.measurements.compCharLen", 3)
    ]
    assert "SECRET" not in repr(found)
    assert found.months.get("invalid_event") in ({"2026-03"}, None)


def test_of_one_input_alone(tmp_path: Path) -> None:
    for name in "ab":
        write_lines(tmp_path / f"{name}.ndjson", [name.encode() * 3, sample()])
        run_batch(tmp_path / f"{name}.ndjson", tmp_path / "out", "--max_quarantined_share=100%")
    output = Output(str(tmp_path / "out"))
    assert len(list(output.listing().files(QUARANTINE))) == 2
    for name in "ab":
        assert refusals(output, digest_of(tmp_path / f"{name}.ndjson")).kinds.total() == 1
    assert refusals(output, "0" * 16).kinds == Counter()


def test_nothing_went_aside(tmp_path: Path) -> None:
    assert refusals(Output(str(tmp_path)), "0" * 16).kinds == Counter[Refused]()
