"""docs/datasets.md and docs/telemetry.json are what the contract says today."""

import json
from pathlib import Path

from schemas.dictionary import DATASETS, datasets_page, telemetry_json
from schemas.registry import load

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_up_to_date() -> None:
    assert (DOCS / "datasets.md").read_text() == datasets_page(), "run: make docs"
    assert json.loads((DOCS / "telemetry.json").read_text()) == telemetry_json(), "run: make docs"


def test_every_column_stands_in_the_dictionary() -> None:
    page = datasets_page()
    for name in DATASETS:
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(f"\n| {f.name} |" in section for f in load(name).fields)


def test_telemetry_json_declares_every_wire_property_with_its_classification() -> None:
    declared = telemetry_json()
    assert declared["commonProperties"]["client_machineid"]["classification"] == "EndUserPseudonymizedInformation"
    assert declared["events"]["engine.prompt"]["promptjson"]["classification"] == "CustomerContent"
    assert declared["events"]["ghostText.shown"]["compcharlen"]["isMeasurement"] is True
