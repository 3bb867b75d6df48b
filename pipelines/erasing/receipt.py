"""What is written down of an erasure or a withdrawal: how much was changed, and nothing of a person or a row."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from pipelines.changing.receipt import write_receipt
from pipelines.erasing.plan import Erasure
from pipelines.erasing.rewriting import Rewritten
from schemas.registry import contract_digest
from transforms.core.output.layout import ERASED_FOLDER, Output
from transforms.core.output.unfinished import Unfinished


def counts_of(erasure: Erasure) -> dict[str, int]:
    """Sums that do not depend on how often the change was tried."""
    files = erasure.files
    return {
        "people": erasure.people,
        "files": len(files),
        "rows_removed": sum(file.rows_before - file.rows_after for file in files),
        "rows_changed": sum(file.rows_of_people - (file.rows_before - file.rows_after) for file in files),
    }


def receipt_of(
    output: Output, unfinished: Unfinished, erasure: Erasure, rewritten: Sequence[Rewritten], seconds: float
) -> str:
    """Written once: of a change that was cut off it tells what the run read and wrote that ended it."""
    path = output.beside(ERASED_FOLDER, f"{unfinished.begun_at:%Y-%m-%d}-{unfinished.checksum}.json")
    rows: Counter[str] = Counter()
    for file in erasure.files:
        rows[file.dataset] += file.rows_before - file.rows_after
    read_bytes = sum(file.read_bytes for file in rewritten)
    written_bytes = sum(file.now.size_bytes for file in rewritten if file.now)
    told = {
        "job": unfinished.job,
        "checksum": unfinished.checksum,
        "begun_at": unfinished.begun_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "contract": contract_digest(),
        **counts_of(erasure),
        "rows_removed_by_dataset": dict(sorted(rows.items())),
        "files_looked_at": erasure.files_looked_at,
        "read_bytes": read_bytes,
        "written_bytes": written_bytes,
        "seconds": round(seconds, 3),
        "bytes_per_person": (read_bytes + written_bytes) // erasure.people,
        "seconds_per_person": round(seconds / erasure.people, 4),
    }
    return write_receipt(output, path, told)
