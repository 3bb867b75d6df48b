"""Which days are closed: nothing more comes in the usual way, and all that came is whole."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from schemas.registry import contract_digest
from transforms.core import storage
from transforms.core.carried import SLOT
from transforms.core.chains.unsigned_inputs import unsigned_inputs
from transforms.core.output import stream_state
from transforms.core.output.compacted import is_compacted
from transforms.core.output.input_list import saved_lists, unread
from transforms.core.output.layout import DATA_DATASETS, LEDGER, Listing, parse_name
from transforms.core.output.ledger import Mark, differences, imbalances, read_marks, read_row
from transforms.core.output.published import whole_days
from transforms.core.output.schema_file import names_column
from transforms.core.shuffle.windows import window_end_s


def last_closed_day(listing: Listing, reach: timedelta) -> date | None:
    """The last day to which nothing belongs any more that comes in with the latest day of the output.

    What is received on that day may close suggestions that began up to the reach before, and the day may have just
    begun. None where the output has no day yet.
    """
    days = listing.days(LEDGER, last=datetime.now(UTC).date())
    return days[-1] - timedelta(days=whole_days(reach) + 1) if days else None


class Wholeness:
    """Whether days are whole, each asked once; remembers what it found of their inputs."""

    def __init__(self, listing: Listing) -> None:
        self._output = listing.output
        self._listing = listing
        self._lists = {listed.digest: listed for listed in saved_lists(self._output)}
        self._inputs: dict[str, str | None] = {}
        self._contracts: dict[str, bool] = {}
        self._unsigned = {*unsigned_inputs(self._output)}

    def marks(self, day: date) -> list[Mark]:
        """The ledger rows of a day."""
        found = ((file, read_row(file.path)) for file in self._listing.files(LEDGER, days=[day]))
        return [Mark(file.day, file.name, row) for file, row in found if row is not None]

    def trouble(self, day: date, marks: list[Mark]) -> str | None:
        """Why a day with these ledger rows must not be compacted, in a few words; None where it may be."""
        return next(self._troubles(day, marks), None)

    def _troubles(self, day: date, marks: list[Mark]) -> Iterator[str]:
        for dataset in DATA_DATASETS:
            folder = self._output.partition(dataset, day)
            there = (*storage.list_sizes(folder), *storage.list_folders(folder))
            if stranger := next((name for name in there if parse_name(name) is None), None):
                yield f"{dataset}/received_date={day}/{stranger} is no file of this system"
        if any(not self._has_slots(mark.row["contract"]) for mark in marks):
            yield "rows of an older version are there, whose slots only a run with the key ring can read"
        inputs = {file.name.input for file in self._listing.files(*DATA_DATASETS, LEDGER, days=[day])
                  if not is_compacted(file.name)}  # fmt: skip
        for name in sorted(inputs):
            if trouble := self._of_input(name):
                yield trouble
        yield from imbalances(marks)
        yield from differences(self._output, marks, days=[day])

    def _has_slots(self, contract: str) -> bool:
        """Whether files of a contract have today's column of slots."""
        if contract not in self._contracts:
            is_own = contract == contract_digest()
            self._contracts[contract] = is_own or names_column(self._output, contract, SLOT)
        return self._contracts[contract]

    def _of_input(self, name: str) -> str | None:
        if name not in self._inputs:
            stream, dot, _ = name.partition(".")
            self._inputs[name] = self._of_window(name, stream) if dot else self._of_batch(name)
        return self._inputs[name]

    def _of_window(self, name: str, stream: str) -> str | None:
        state = stream_state.load(self._output, stream)
        if state is None or (window_end_s(name, stream) or 0) > state.whole_to_s:
            return f"window {name} is not whole; start pipelines.streaming, which makes it whole"
        return None

    def _of_batch(self, name: str) -> str | None:
        if name in self._unsigned:
            return (
                f"input {name} is not signed, its run was cut off; this run signs it where it is whole, or run it again"
            )
        marks = read_marks(self._output, name)
        problems = imbalances(marks)
        missing = unread(self._output, self._lists[name], marks) if name in self._lists else iter(())
        if next(problems, None) or next(missing, None):
            return f"input {name} is not whole; run pipelines.batch with it again"
        return None
