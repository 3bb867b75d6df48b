"""What the ledger says of a stream's source: read without a break, and what of it was lost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from transforms.core.output.ledger import Mark


def breaks(marks: Iterable[Mark]) -> Iterator[str]:
    """One line for each window that did not read on where the one before ended, or tells of more lost than it spans."""
    for _, rows in sorted(_by_stream(marks).items()):
        reached: dict[str, int] = {}
        for row in rows:
            begins, lost = dict(row["positions_begin"]), dict(row.get("lost_messages") or ())
            for part, end in row["positions_end"] or ():
                if not part.partition("@")[0].isdigit():
                    continue  # no partition but a file; one that was gone and came back is taken again
                if reached.get(part, begins[part]) != begins[part]:
                    yield (
                        f"{row['input']}: {part} was read from {begins[part]} on, the window before ended at "
                        f"{reached[part]}"
                    )
                if lost.get(part, 0) > end - begins[part]:
                    yield f"{row['input']}: {lost[part]} messages of {part} are told lost of {end - begins[part]}"
                reached[part] = end


def lost_messages(marks: Iterable[Mark]) -> int:
    """How many messages retention took before they were read, as operators declared."""
    return sum(count for mark in marks for _, count in mark.row.get("lost_messages") or ())


def _by_stream(marks: Iterable[Mark]) -> dict[str, list[dict[str, Any]]]:
    """Rows that tell what the source read, in order, by stream."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for mark in marks:
        if mark.row.get("positions_end"):
            found[mark.row["input"].partition(".")[0]].append(mark.row)
    return {stream: sorted(rows, key=lambda row: row["window_end"]) for stream, rows in found.items()}
