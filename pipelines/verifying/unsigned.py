"""What must not be opened in an output that nobody has signed."""

from collections.abc import Iterable

from transforms.core.storage import Entry

_MOST_SMALL_BYTES = 512 * 1024 * 1024


def unreadable(entries: Iterable[Entry]) -> list[str]:
    """A line for each entry that leads elsewhere, may never end, or is larger than a file of its kind can be."""
    found = []
    for entry in sorted(entries):
        if entry.kind != "file":
            kind = "a link to elsewhere" if entry.kind == "link" else "a pipe or device"
            found.append(f"{entry.path}: {kind}, no file of this system")
        elif not entry.path.endswith(".parquet") and entry.size_bytes > _MOST_SMALL_BYTES:
            found.append(f"{entry.path}: has {entry.size_bytes:,} bytes, more than any such file")
    return found
