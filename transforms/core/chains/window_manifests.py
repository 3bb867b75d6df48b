"""Manifests of an endless job: of windows that became whole, of its start, and of a stop that cut a window off."""

from collections.abc import Iterator
from datetime import timedelta

from transforms.core.chains.chain import put_file
from transforms.core.chains.run_manifest import PutFile
from transforms.core.chains.run_signing import Signing
from transforms.core.chains.vouched import other_rows, own_file, vouched_files
from transforms.core.keys.proofs import RowProof
from transforms.core.output.layout import LEDGER, DataFile, Listing, parse_name, path_in_output
from transforms.core.output.ledger import Mark, mark_files, read_mark
from transforms.core.output.stream_state import StreamState, state_path
from transforms.core.shuffle.windows import mark_day, window_end_s

WINDOW, START, STOP = "window", "start", "stop"
_LOOKED_BACK_S = int(timedelta(days=1).total_seconds())

Part = tuple[int, int | None]
"""A bucket, and of how many it is one."""


class WindowManifests:
    """Signs what a stream's windows wrote, in order; remembers each bucket's last mark, which a quiet span replaces."""

    def __init__(self, state: StreamState, signing: Signing) -> None:
        self._state = state
        self._signing = signing
        head = signing.chain.head
        self._signed_to_s = head.streams.get(state.stream, -1) if head else -1
        self._last_marks = self._found_marks()

    @property
    def proof(self) -> RowProof:
        """What proves the rows of this ring."""
        return self._signing.proof

    def _found_marks(self) -> dict[Part, PutFile]:
        """The last mark of each bucket as the chain knows it: quiet spans do not go over midnight.

        Of a mark that a change has written anew that is what the change has put. A change may have done so with marks
        of windows before, too: which is the last one is told by the window, not by the manifest.
        """
        found: dict[Part, tuple[int, PutFile]] = {}
        for manifest in self._signing.chain.backwards() if self._signed_to_s >= 0 else ():
            if manifest.streams.get(self._state.stream, -1) < self._signed_to_s - _LOOKED_BACK_S:
                break
            for file in manifest.put:
                place = self._mark_place(file.path)
                if place is not None and place[1] > found.get(place[0], (-1, file))[0]:
                    found[place[0]] = (place[1], file)
        return {part: file for part, (_, file) in found.items()}

    def _mark_place(self, path: str) -> tuple[Part, int] | None:
        """The bucket and end of the window that a path is the mark of."""
        folder, _, text = path.rpartition("/")
        name = parse_name(text)
        end_s = window_end_s(name.input, self._state.stream) if name else None
        if name is None or end_s is None or folder != path_in_output(LEDGER, mark_day(end_s)):
            return None
        return (name.bucket, name.buckets), end_s

    def take_in(self) -> None:
        """Signs the windows that are whole and told by no manifest; also such of a job that was killed before it could.

        Raises UnbalancedBooks where a mark was not written with this ring, or what it tells is gone.
        """
        state = self._state
        if state.whole_to_s <= self._signed_to_s:
            return
        listing = state.output.listing()
        found = mark_files(state.stream, listing, self._signed_to_s)
        marks = [mark for file, end_s in found if end_s <= state.whole_to_s and (mark := read_mark(file)) is not None]
        if not marks and self._signed_to_s >= 0:
            return
        rows = [*marks, *self._rows_of_other_days(marks)]
        self._signing.check_rows(rows)
        put = [file for mark in rows for file in (own_file(mark), *vouched_files(mark))]
        self._append(WINDOW, put, rows, self._gone(listing))
        for mark in marks:
            self._last_marks[mark.name.bucket, mark.name.buckets] = own_file(mark)
        self._signed_to_s = state.whole_to_s

    def _rows_of_other_days(self, marks: list[Mark]) -> Iterator[Mark]:
        for mark in marks:
            for day in other_rows(mark):
                path = self._state.output.file(LEDGER, day, mark.name)
                other = read_mark(DataFile(LEDGER, day, mark.name, path))
                if other is not None and other.sha256 == other_rows(mark)[day]:
                    yield other

    def _gone(self, listing: Listing) -> list[str]:
        """Marks that a longer quiet span has replaced."""
        days = {path.rpartition("received_date=")[2].partition("/")[0] for path in self._paths()}
        there = {
            path_in_output(LEDGER, day, str(name))
            for day in listing.days(LEDGER) if day.isoformat() in days for name in listing.names(LEDGER, day)
        }  # fmt: skip
        return [path for path in self._paths() if path not in there]

    def _paths(self) -> list[str]:
        return [file.path for file in self._last_marks.values()]

    def start(self) -> None:
        """Signs how the job goes on."""
        self._sign_state(START)

    def stop(self) -> None:
        """Signs how a job has ended that had begun another window."""
        self._sign_state(STOP)

    def _sign_state(self, kind: str) -> None:
        """Signs the state, and marks of quiet spans that were cut at the last whole window."""
        state = self._state
        listing = state.output.listing()
        found = mark_files(state.stream, listing, state.whole_to_s - 1)
        marks = [mark for file, end_s in found if end_s == state.whole_to_s and (mark := read_mark(file)) is not None]
        new = [mark for mark in marks if own_file(mark) not in self._last_marks.values()]
        self._signing.check_rows(new)
        gone = [path for path in self._gone(listing) if path not in {own_file(mark).path for mark in new}]
        self._append(kind, [own_file(mark) for mark in new], [], gone)
        for mark in new:
            self._last_marks[mark.name.bucket, mark.name.buckets] = own_file(mark)

    def _append(self, kind: str, put: list[PutFile], rows: list[Mark], gone: list[str]) -> None:
        state, signing = self._state, self._signing
        beside = [*signing.beside_now(state.output), put_file(state.output, state_path(state.stream))]
        streams = {state.stream: state.whole_to_s}
        signing.chain.append(kind, [*put, *beside], gone, signing.told(state.stream, rows, streams))
