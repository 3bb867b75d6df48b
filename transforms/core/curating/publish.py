"""Writes a bucket's files. The ledger's rows are written last and mark the others as whole."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import pyarrow as pa

from schemas.registry import contract_digest, load
from transforms.core import storage
from transforms.core.chains.vouched import vouched_row
from transforms.core.curating.curate import CuratedBucket
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.role_encryption import encryption_properties
from transforms.core.keys.step_keys import RoleKeys
from transforms.core.output import stream_state
from transforms.core.output.books import Books
from transforms.core.output.claim import check_held
from transforms.core.output.compacted import Compacted
from transforms.core.output.expired import read_expired
from transforms.core.output.input_days import InputDays, days_of_input
from transforms.core.output.input_list import was_read_before
from transforms.core.output.landing import Landing
from transforms.core.output.layout import DATA_DATASETS, LEDGER, FileName, Listing, Output, path_in_output
from transforms.core.output.parquet import parquet_bytes
from transforms.core.shuffle.windows import Portion, Window

_REMOTE_WRITERS = 8
"""Files of one portion that are written at the same time to an object store, which answers each only after a while.

On a local disk eight took 45 MB more memory and no less time than one.
"""


Written = dict[tuple[str, date], tuple[str, int]]
"""Dataset and day -> digest and size of the file that was written."""


class Publisher:
    """Publishes portions into one output. A step makes it in `setup`, because it holds keys."""

    def __init__(self, listing: Listing, keys: RoleKeys, proof: RowProof, landing: Landing) -> None:
        self._output = listing.output
        check_held(self._output)
        self._keys = keys
        self._proof = proof
        self._landing = landing
        self._listing = listing
        self._expired = read_expired(listing.output)
        self._compacted = Compacted(listing.output)
        self._days = InputDays(listing.output)
        self._writers = ThreadPoolExecutor(1 if storage.is_local(listing.output.path) else _REMOTE_WRITERS, "write")

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("keys are opened in setup and never pickled")

    def publish(self, curated: CuratedBucket, earlier_days: Iterable[date]) -> None:
        """Writes, replaces or removes every file of this portion; a window's mark comes last.

        `earlier_days` are days for which the same input left files before. Where
        nothing is to be written for a day, its files are removed, and so are files of
        these people that bear another number of buckets. Raises
        StorageUnavailable where a file cannot be written, KeyUnavailable where a
        month has no key, OutputInUse where another run took the output over. What
        was written stays, and the same run again makes the portion whole.
        """
        check_held(self._output)
        window = curated.portion.window
        again = {*earlier_days}
        days = {*curated.counts, *again, *({window.mark_day} if window else ())}
        # They were whole when they were compacted, and their rows stand in files of other inputs, too.
        days = {day for day in days if not self._compacted.holds(day, curated.portion.input)}
        if window is None:
            self._days.note(curated.portion.input, days)
        tables = [(name, day, curated.tables.get((name, day))) for day in days for name in DATA_DATASETS]
        written: Written = {}
        put = partial(self._put, curated.portion, again, written)
        self._at_once([partial(put, name, day, table) for name, day, table in tables])
        # The row of the mark's day stands for the whole window, so it follows those of all other days.
        for day in sorted(days, key=lambda d: (window is not None and d == window.mark_day, d)):
            counts = curated.counts.get(day)
            if counts is not None or (window and day == window.mark_day):
                put(LEDGER, day, self._ledger_table(curated, counts or Books(), day, written))
            else:
                put(LEDGER, day, None)
        # The mark of a quiet span replaces the one that stood for its first part. It is removed last: a job that dies
        # in between leaves two marks that say the same, not a gap.
        if window is not None and curated.mark_begin_s < window.begin_s:
            swallowed = Window(window.stream, curated.mark_begin_s, window.begin_s)
            name = FileName(swallowed.name, curated.portion.bucket, curated.portion.buckets)
            storage.remove(self._output.file(LEDGER, swallowed.mark_day, name))

    def _at_once(self, tasks: Iterable[Callable[[], None]]) -> None:
        """Runs the tasks, several at a time, and raises what the first of them raised.

        It returns when all have ended: none may still write when one has failed and the portion is tried again.
        """
        futures = [self._writers.submit(task) for task in tasks]
        wait(futures)
        for future in futures:
            future.result()

    def _put(
        self, portion: Portion, again: set[date], written: Written, dataset: str, day: date, table: pa.Table | None
    ) -> None:
        """Writes a file; None is no file. Then removes what an earlier run left of these people under other names."""
        name = FileName(portion.input, portion.bucket, portion.buckets)
        if self._expired.covers(dataset, day, portion.input):
            table = None  # the ledger counts the rows; an old input must not bring back what retention took
        if table is not None:
            encryption = encryption_properties(
                load(dataset), self._keys, f"{day:%Y-%m}", path_in_output(dataset, day, str(name))
            )
            if dataset != LEDGER:
                table = self._landing.to_files(dataset, table)
            data = parquet_bytes(dataset, table, encryption)
            self._output.write(self._output.file(dataset, day, name), data)
            written[dataset, day] = (hashlib.sha256(data).hexdigest(), len(data))
        # A window's files were removed at the start where they were not whole; only a retry can have left one.
        for other in self._left_before(dataset, day, portion) if day in again or table is None else ():
            if table is None or other != name:
                storage.remove(self._output.file(dataset, day, other))

    def _left_before(self, dataset: str, day: date, portion: Portion) -> list[FileName]:
        """Names of files of the same input that lay there when the run began, whose removal is this portion's task."""
        names = (n for n in self._listing.names(dataset, day) if n.input == portion.input)
        return [n for n in names if n.bucket % portion.buckets == portion.bucket]

    def _ledger_table(self, curated: CuratedBucket, counts: Books, day: date, written: Written) -> pa.Table:
        portion = curated.portion
        facts = {"input": portion.input, "bucket": portion.bucket, "buckets": portion.buckets}
        row = {**facts, "contract": contract_digest(), **counts.as_row()}
        row |= window_facts(curated, day) | range_facts(curated, day) | self._lost(curated, day)
        row |= file_facts(written, day, is_mark=portion.window is not None and day == portion.window.mark_day)
        table = pa.Table.from_pylist([row], schema=load(LEDGER).arrow)
        proof = pa.array([self._proof.of(table.to_pylist()[0])])
        return table.set_column(table.schema.get_field_index("proof"), table.schema.field("proof"), proof)

    def _lost(self, curated: CuratedBucket, day: date) -> dict[str, Any]:
        """The ledger's column about messages that Kafka's retention removed before they were read.

        It has those of them that lie in the window's span of a partition and that an operator has declared lost.
        """
        window = curated.portion.window
        if window is None or day != window.mark_day or not curated.taken:
            return {}
        state = stream_state.load(self._output, window.stream)
        lost = state.lost(curated.taken) if state is not None else {}
        return {"lost_messages": sorted(lost.items())} if lost else {}


def window_facts(curated: CuratedBucket, day: date) -> dict[str, Any]:
    """The ledger's columns about a window; nothing for a batch input."""
    window = curated.portion.window
    if window is None:
        return {}
    # A timestamp column takes whole numbers as microseconds since 1970.
    facts: dict[str, Any] = {
        "window_begin": curated.mark_begin_s * 1_000_000,
        "window_end": window.end_s * 1_000_000,
        "published_at": datetime.now(UTC),
    }
    if day == window.mark_day:
        facts |= {
            "window_events": sum(b.events for b in curated.counts.values()),
            "window_accounted": sum(b.accounted for b in curated.counts.values()),
            "window_rows": sum(b.rows.total() for b in curated.counts.values()),
            "latest_received_at": curated.clock.latest_us,
            "positions_begin": sorted((part, begin) for part, (begin, _) in curated.taken.items()),
            "positions_end": sorted((part, end) for part, (_, end) in curated.taken.items()),
        }
    return facts


def range_facts(curated: CuratedBucket, day: date) -> dict[str, Any]:
    """The ledger's columns about ranges of a batch input; they stand on the latest day of one bucket."""
    if not curated.holds_ranges or day != max(curated.counts):
        return {}
    read = sorted(curated.ranges.items())
    return {
        "range_bytes": [(name, read_bytes) for name, (read_bytes, _) in read],
        "range_payloads": [(name, payloads) for name, (_, payloads) in read],
    }


def file_facts(written: Written, day: date, *, is_mark: bool) -> dict[str, Any]:
    """The ledger's columns about the files written with a row, and on a mark about the window's other rows."""
    names = {dataset: (dataset, on) for dataset, on in written if on == day}
    if is_mark:
        names |= {vouched_row(on): (dataset, on) for dataset, on in written if dataset == LEDGER}
    return {
        "file_digests": [(name, written[key][0]) for name, key in sorted(names.items())],
        "file_bytes": [(name, written[key][1]) for name, key in sorted(names.items())],
    }


def days_left_by(output: Output, digest: str, buckets: int) -> dict[tuple[str, int], list[date]]:
    """(Input, bucket) -> the days for which an earlier run of a batch input left files, whole or not, sorted.

    Where they bear another number of buckets than this run's, those are meant whose removal is the bucket's task. To be
    asked before the run's own list of its input is saved.
    """
    found: dict[tuple[str, int], set[date]] = defaultdict(set)
    if was_read_before(output, digest):
        days = days_of_input(output, digest)
        for file in output.listing().files(*DATA_DATASETS, LEDGER, days=days, of_input=digest):
            found[digest, file.name.bucket % buckets].add(file.day)
    return {key: sorted(left) for key, left in found.items()}
