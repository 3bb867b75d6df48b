"""The receipt of a change: how much was changed, and nothing of a row."""

import json
from collections.abc import Mapping

from transforms.core import storage
from transforms.core.output.layout import Output


def write_receipt(output: Output, path: str, told: Mapping[str, object]) -> str:
    """Writes the receipt, as JSON, where there is none yet, and returns its path.

    A change that was cut off after it is finished again: what the receipt said first stays.
    """
    if not storage.exists(path):
        output.write(path, (json.dumps(told, indent=1) + "\n").encode())
    return path
