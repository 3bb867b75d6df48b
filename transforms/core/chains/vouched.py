"""What a ledger row vouches for: the files that were written with it, as they were."""

from collections.abc import Iterator
from datetime import date

from transforms.core.chains.run_manifest import PutFile
from transforms.core.output.layout import LEDGER, parse_name, path_in_output
from transforms.core.output.ledger import Mark, rows_in_files
from transforms.core.shuffle.windows import mark_day, window_end_s


def vouched_row(day: date) -> str:
    """The name by which a window's mark tells of its ledger row of another day."""
    return f"{LEDGER}/{day.isoformat()}"


def mark_day_of(name: str) -> date | None:
    """The day of the mark that vouches for ledger rows of a window, by the name of its files; None of a batch input."""
    parts = parse_name(name)
    end_s = window_end_s(parts.input, parts.input.partition(".")[0]) if parts else None
    return None if end_s is None else mark_day(end_s)


def own_file(mark: Mark) -> PutFile:
    """The file of the row itself."""
    return PutFile(path_in_output(LEDGER, mark.day, str(mark.name)), mark.size_bytes, 1, mark.sha256)


def vouched_files(mark: Mark) -> Iterator[PutFile]:
    """The files of datasets that were written with a row; none where an older version wrote it."""
    rows, sizes = rows_in_files(mark.row), dict(mark.row.get("file_bytes") or ())
    for name, digest in mark.row.get("file_digests") or ():
        if "/" not in name:
            yield PutFile(path_in_output(name, mark.day, str(mark.name)), sizes[name], rows.get(name, 0), digest)


def other_rows(mark: Mark) -> dict[date, str]:
    """The days and digests of a window's other ledger rows, as its mark tells them."""
    told = ((name.partition("/"), digest) for name, digest in mark.row.get("file_digests") or ())
    return {date.fromisoformat(day): digest for (dataset, slash, day), digest in told if slash and dataset == LEDGER}
