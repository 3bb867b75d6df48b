"""One run as it goes: what it did becomes its record, and whoever listens is told."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from pipelines.recording.listener import Listener
from pipelines.recording.places import add_payloads, places_of
from pipelines.recording.record import Input, Record, Stage, counts_of
from pipelines.running.endings import ending_of
from schemas.errors import ExitCode, PipelineError, StorageUnavailable
from transforms.core.output.books import Books
from transforms.core.output.input_list import InputList

LOOK_S = 0.25
"""How often is looked whether all is read."""


class HowFar(Protocol):
    """Figures of a run, as `pipelines.running.progress` gives them."""

    @property
    def read_bytes(self) -> int: ...
    @property
    def buckets(self) -> int: ...


class Recorder:
    """Keeps the record of one run; without listeners nobody is told, and nothing is written."""

    def __init__(self, record: Record, listeners: Sequence[Listener] = ()) -> None:
        self.record = record
        self._listeners = listeners
        self._patterns: list[str] = []
        self._since_s = time.monotonic()

    @property
    def digest(self) -> str:
        """The digest that names the input; empty before it is known."""
        return self.record.input.digest if self.record.input else ""

    def listed(self, listed: InputList, patterns: Iterable[str]) -> None:
        """The input is known: its files, and the patterns with the day in them."""
        self._patterns = list(patterns)
        files = len(listed.files)
        places = places_of(listed, self._patterns)
        self.record.input = Input(listed.digest, files, listed.size_bytes, places)
        self.did("list", files=files, bytes=listed.size_bytes)

    def held(self) -> None:
        """All is checked, and the output is this run's."""
        self._tell(lambda listener: listener.held(self.record))
        self.did("prepare")

    def did(self, name: str, **counts: int) -> None:
        """A stage is over, that began where the one before it ended."""
        now_s = time.monotonic()
        stage = Stage(name, round(now_s - self._since_s, 3), counts)
        self._since_s = now_s
        self.record.stages.append(stage)
        self._tell(lambda listener: listener.did(stage))

    @contextmanager
    def reading_and_writing(self, figures: Callable[[], HowFar], total_bytes: int) -> Iterator[None]:
        """The pipeline runs in the block: two stages, `read` and `write`.

        Where nobody saw that all was read before all was written, they are one: of a small input, or of a runner that
        does not tell.
        """
        is_over = threading.Event()

        def look() -> None:
            while not is_over.wait(LOOK_S):
                found = figures()
                if found.read_bytes >= total_bytes:
                    self.did("read", bytes=found.read_bytes)
                    return

        thread = threading.Thread(target=look, name="stages", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
        is_read = any(stage.name == "read" for stage in self.record.stages)
        self.did("write" if is_read else "read and write", buckets=figures().buckets)

    def balanced(self, books: Books, payloads: dict[str, int]) -> None:
        """The books are there; `payloads` are by file."""
        self.record.books = counts_of(books)
        if self.record.input is not None:
            add_payloads(self.record.input.places, self._patterns, payloads)
        self.did("check", events=books.events, landed=books.landed)

    def begin(self) -> None:
        """Tells that the run begins."""
        self._tell(lambda listener: listener.began(self.record))

    def end(self, error: BaseException | None) -> None:
        """Completes the record and tells it.

        Of a run that was well, what cannot be told is its error. Else the first error stands and this is a warning, or
        nothing where the run failed for its storage: then both say the same.
        """
        self.record.end(*ending_of(error))
        failure: PipelineError | None = None
        for listener in self._listeners:
            try:
                listener.ended(self.record)
            except PipelineError as found:
                if self.record.exit_code == ExitCode.DONE:
                    failure = found
                    self.record.end(*ending_of(found))
                elif not isinstance(error, StorageUnavailable):
                    print(f"warning: {' '.join(str(found).split())}", file=sys.stderr)
        if failure is not None:
            raise failure

    def _tell(self, call: Callable[[Listener], None]) -> None:
        for listener in self._listeners:
            call(listener)


@contextmanager
def recorded(record: Record, listeners: Sequence[Listener]) -> Iterator[Recorder]:
    """A run goes on in the block; however that ends, it is told."""
    run = Recorder(record, listeners)
    try:
        run.begin()
        yield run
    except BaseException as error:
        run.end(error)
        raise
    run.end(None)
