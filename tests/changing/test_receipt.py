"""A receipt is written once: what it said first stays."""

import json
from pathlib import Path

from pipelines.changing.receipt import write_receipt
from transforms.core.output.layout import Output


def test_what_a_receipt_said_first_stays(tmp_path: Path) -> None:
    output, path = Output(str(tmp_path)), str(tmp_path / "_erased" / "receipt.json")
    assert write_receipt(output, path, {"files": 3}) == path
    assert write_receipt(output, path, {"files": 0}) == path
    assert json.loads(Path(path).read_text()) == {"files": 3}
