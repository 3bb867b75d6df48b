"""The other load tells the same of the same people: it is spelled in other ways, and nothing else."""

from collections import Counter
from datetime import date
from pathlib import Path

import msgspec

from pipelines.generate import generate
from tests.bench import other_load
from tests.bench.rival_polars import occurring
from tests.conftest import KEY_RING
from transforms.core.blocks import Block
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys import keyring
from transforms.core.keys.step_keys import step_keys_of

KEYS = step_keys_of(keyring.load(KEY_RING)).quarantine
PERSON = ["client_machineid", "common.vscodemachineid", "common_vscodemachineid", "common_machineId"]


def decoded(raw: Path) -> Counter[tuple[str, str, object]]:
    """How many events of each name and engine there are, by dataset."""
    lines = [line for path in sorted(raw.iterdir()) for line in path.read_bytes().splitlines()]
    found: Counter[tuple[str, str, object]] = Counter()
    for batch in BlockDecoder(KEYS, 4).decode(Block(lines=lines)):
        if "event_name" in batch.batch.schema.names:
            rows = batch.batch.select(["event_name", "engine"]).to_pylist()
            found.update((batch.kind, row["event_name"], row["engine"]) for row in rows)
    return found


def test_the_other_load_lands_as_the_first_does(tmp_path: Path) -> None:
    generate(str(tmp_path), 400, 9, date(2026, 3, 29), ["ndjson"], with_code=False, with_rubbish=False, people=50)
    other_load.main(str(tmp_path / "raw"), str(tmp_path / "other"))
    before, after = decoded(tmp_path / "raw"), decoded(tmp_path / "other")
    assert before == after
    assert len(before) > 10
    assert occurring(str(tmp_path / "raw"), "properties", PERSON) == PERSON[:2]
    assert occurring(str(tmp_path / "other"), "properties", PERSON) == PERSON[2:]
    line = next((tmp_path / "other").iterdir()).read_bytes().splitlines()[0]
    assert "collector" in msgspec.json.decode(line)
