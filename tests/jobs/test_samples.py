"""One document, one fate. Adding a file under data/samples adds a test."""

import json
from pathlib import Path

import pytest

from schemas.registry import EVENT_DATASETS
from tests.conftest import DATA
from transforms.core.blocks import Block
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.step_keys import step_keys_of

SAMPLES = sorted((DATA / "samples").glob("*/*/*.json"))


def fates(path: Path, ring: KeyRing) -> list[str]:
    """What becomes of the document: datasets of its primary rows, quarantine reasons, other counts."""
    line = json.dumps(json.loads(path.read_text())).encode()
    found = []
    for batch in BlockDecoder(step_keys_of(ring).quarantine, 4).decode(Block(lines=[line])):
        rows = batch.batch.to_pylist()
        if batch.kind == "counts":
            found += [
                "_".join(filter(None, (r["kind"], r["key"]))) for r in rows if r["kind"] not in ("payloads", "events")
            ]
        else:
            found += [r["reason"] if batch.kind == "quarantine" else batch.kind for r in rows if r["is_primary"]]
    return found


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: "/".join(p.parts[-3:]))
def test_document_meets_its_fate(path: Path, ring: KeyRing) -> None:
    dataset, verdict = path.parts[-3:-1]
    expected = dataset if verdict == "pass" else path.stem.rpartition(".")[2]
    found = fates(path, ring)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_every_dataset_of_events_has_samples_of_both_kinds() -> None:
    kinds = {p.parts[-3:-1] for p in SAMPLES}
    for dataset in EVENT_DATASETS:
        assert {(dataset, "pass"), (dataset, "fail")} <= kinds
