"""A generated day for a topic, and whether what a stream made of it is what the batch job makes."""

from datetime import date
from pathlib import Path

from pipelines.generate import generate
from tests.curating.test_windows import books, rows_of, timed
from tests.support.brokers import as_message


def stamped_lines(folder: Path, events: int, seed: int) -> list[bytes]:
    """Lines of a day in receive order; what has no stamp is left out, as it gets the broker's time, not the file's."""
    generate(str(folder), events, seed, date(2026, 3, 31), containers=["ndjson"])
    raw = [line for path in sorted((folder / "raw").iterdir()) for line in path.read_bytes().splitlines()]
    return [line for _, line in timed([line for line in raw if line.strip()]) if as_message(line)[1]]


def check_same(stream: Path, batch: Path) -> None:
    """Raises AssertionError where rows or books of the two outputs differ."""
    expected, found = rows_of(batch), rows_of(stream)
    for rows in (expected, found):
        for row in rows["quarantine"]:
            del row["payload_id"], row["slot_code"], row["container"], row["payload_bytes"]  # a message is not its line
        rows["quarantine"].sort(key=repr)
    assert found == expected
    assert books(stream) == books(batch)
