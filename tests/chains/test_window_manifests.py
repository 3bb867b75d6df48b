"""Windows of a stream in the chain: each once, whatever the job was when it was killed, and with what quiet replaced."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.verifying.chains import read_chains
from pipelines.verifying.comparing import compare
from pipelines.verifying.expected import expected_of
from schemas.errors import UnbalancedBooks
from schemas.registry import load as load_schema
from tests.support.marks import STREAM, write_mark
from transforms.core import storage
from transforms.core.chains.chain import Chain, Told, begin_chain, record_change
from transforms.core.chains.renewal import RENEWAL, link_facts
from transforms.core.chains.run_signing import Signing
from transforms.core.chains.window_manifests import WindowManifests
from transforms.core.keys.proofs import RowProof
from transforms.core.keys.retired import ROUTINE, RetiredKey
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import LEDGER, OUTPUT_FILE, Output
from transforms.core.output.parquet import parquet_bytes
from transforms.core.output.stream_state import StreamState, remove_unfinished
from transforms.core.shuffle.windows import Window

SIGNER, PROOF = Signer(b"s" * 31 + b"1"), RowProof(b"p" * 32)
BEGIN_S, INTERVAL_S = 1_774_915_200, 300
READ = {"0": (0, 5)}


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / OUTPUT_FILE).write_text("{}")
    return Output(str(tmp_path))


def state_of(output: Output, number: int) -> StreamState:
    state = StreamState(output, STREAM, BEGIN_S + number * INTERVAL_S)
    state.save()
    return state


def signing(output: Output) -> Signing:
    return Signing(begin_chain(output, SIGNER), PROOF, [OUTPUT_FILE])


def mark(output: Output, number: int, bucket: int = 0, since: int | None = None, **more: object) -> str:
    """A mark with its proof, quiet where it is given since when."""
    begin = BEGIN_S + (number if since is None else since) * INTERVAL_S
    window = Window(STREAM, begin, BEGIN_S + (number + 1) * INTERVAL_S)
    path = write_mark(output, window, bucket, None if since is not None else READ, buckets=2, **more)
    prove(path)
    if since is not None and since < number:
        before = Window(STREAM, begin, BEGIN_S + number * INTERVAL_S)
        Path(write_mark(output, before, bucket, buckets=2)).unlink()
    return path


def prove(path: str) -> None:
    table = pq.ParquetFile(path).read()
    row = table.to_pylist()[0]
    row["proof"] = PROOF.of(row)
    made = pa.Table.from_pylist([row], schema=load_schema(LEDGER).arrow)
    Path(path).write_bytes(parquet_bytes(LEDGER, made, None))


def differences(output: Output, signer: Signer = SIGNER) -> list[str]:
    entries = [*storage.whole_tree(output.path)]
    chains = read_chains(output, entries, signer.public_key)
    found = compare(output, entries, expected_of(chains.values()), reads=True, told=lambda _: None)
    strange = [e.path for e in found.strange if not e.path.startswith(("runs/", "_signing"))]
    return [line for chain in chains.values() for line in chain.problems] + found.problems + strange


def test_windows_are_signed_once_and_in_order(output: Output) -> None:
    manifests = None
    for number in range(3):
        for bucket in (0, 1):
            mark(output, number, bucket)
        state = state_of(output, number + 1)
        if manifests is None:
            manifests = WindowManifests(state, signing(output))
        manifests._state = state
        manifests.take_in()
        manifests.take_in()
        assert differences(output) == []
    assert begin_chain(output, SIGNER).number == 3


def test_a_job_that_was_killed_before_it_signed_does_so_at_its_next_start(output: Output) -> None:
    for number in range(3):
        for bucket in (0, 1):
            mark(output, number, bucket)
    state = state_of(output, 2)  # the third window is not whole
    first = WindowManifests(state, signing(output))
    first.take_in()
    assert begin_chain(output, SIGNER).number == 1
    assert sorted(line for line in differences(output) if "ledger" in line) == [
        str(Path(mark(output, 2, bucket)).relative_to(output.path)) for bucket in (0, 1)
    ]
    state = state_of(output, 3)
    again = WindowManifests(state, signing(output))
    again.take_in()
    again.start()
    assert differences(output) == []
    assert begin_chain(output, SIGNER).number == 3


def test_windows_that_were_not_signed_when_the_key_was_renewed_are_signed_after_the_link(output: Output) -> None:
    """The job was killed, then the key was renewed. What was signed before is read back past the link."""
    for bucket in (0, 1):
        mark(output, 0, bucket, since=0)
    manifests = WindowManifests(state_of(output, 1), signing(output))
    manifests.take_in()
    for bucket in (0, 1):
        mark(output, 1, bucket, since=0)
    state = state_of(output, 2)
    renewed = Signer(b"s" * 31 + b"2", [SIGNER.public_key])
    retired = RetiredKey(SIGNER.public_key, datetime(2026, 3, 31, tzinfo=UTC), ROUTINE)
    link = Chain(output, renewed, under=SIGNER.public_key)
    link.append(RENEWAL, [], told=Told(facts=link_facts(retired, 0, {})))
    again = WindowManifests(state, Signing(begin_chain(output, renewed), PROOF, [OUTPUT_FILE]))
    again.take_in()
    again.start()
    assert differences(output, renewed) == []
    assert begin_chain(output, renewed).number == 4


def test_a_quiet_span_replaces_its_mark(output: Output) -> None:
    for bucket in (0, 1):
        mark(output, 0, bucket, since=0)
    state = state_of(output, 1)
    manifests = WindowManifests(state, signing(output))
    manifests.take_in()
    for number in (1, 2, 3):
        if number == 3:  # another process goes on
            manifests = WindowManifests(state, signing(output))
        for bucket in (0, 1):
            mark(output, number, bucket, since=0)
        state.whole_to_s = BEGIN_S + (number + 1) * INTERVAL_S
        state.save()
        manifests.take_in()
        assert differences(output) == []
    assert len(list(Path(output.path).glob("ledger/*/*.parquet"))) == 2


def test_a_bucket_that_ran_ahead_in_a_quiet_span(output: Output) -> None:
    """Its mark is of a window that is not whole yet, and that of the last whole one is gone with it."""
    for bucket in (0, 1):
        mark(output, 0, bucket, since=0)
    state = state_of(output, 1)
    manifests = WindowManifests(state, signing(output))
    manifests.take_in()
    mark(output, 1, 0, since=0)
    again = WindowManifests(state, signing(output))
    again.take_in()
    remove_unfinished(state, PROOF)
    state.save()
    again.start()
    assert differences(output) == []
    check_goes_on(output, state, again, number=1, since=0)


def check_goes_on(output: Output, state: StreamState, manifests: WindowManifests, *, number: int, since: int) -> None:
    """The window of a number is published, and then everything is as the chain says."""
    for bucket in (0, 1):
        mark(output, number, bucket, since=since)
    state.whole_to_s = BEGIN_S + (number + 1) * INTERVAL_S
    state.save()
    manifests.take_in()
    assert differences(output) == []


def test_what_was_begun_when_a_job_was_stopped_is_gone_and_the_chain_tells(output: Output) -> None:
    """The mark of a longer quiet span had taken the place of a signed one: seen in 1 of 14 stops."""
    for bucket in (0, 1):
        mark(output, 0, bucket)
    state = state_of(output, 1)
    manifests = WindowManifests(state, signing(output))
    manifests.take_in()
    for bucket in (0, 1):
        mark(output, 1, bucket, since=1)
    state = manifests._state = state_of(output, 2)
    manifests.take_in()
    mark(output, 2, 1, since=1)
    assert len(differences(output)) == 2  # one is gone, one is told by no manifest
    assert remove_unfinished(state, PROOF) == 1
    manifests.stop()
    assert differences(output) == []
    again = WindowManifests(state, signing(output))
    again.start()
    assert differences(output) == []


def test_the_last_mark_is_that_of_the_last_window_whatever_a_change_wrote_anew(output: Output) -> None:
    """An erasure writes marks of several windows of a bucket anew, in one manifest and without a worker's proof."""
    for number in (0, 1):
        for bucket in (0, 1):
            mark(output, number, bucket)
    state = state_of(output, 2)
    WindowManifests(state, signing(output)).take_in()
    changed = []
    for number in (0, 1):
        window = Window(STREAM, BEGIN_S + number * INTERVAL_S, BEGIN_S + (number + 1) * INTERVAL_S)
        changed.append(write_mark(output, window, 0, READ, buckets=2, removed_rows=[("displays", 1)]))
    record_change(output, SIGNER, "erase", [str(Path(path).relative_to(output.path)) for path in changed], [], {})
    again = WindowManifests(state, signing(output))
    again.take_in()
    again.start()
    assert differences(output) == []
    check_goes_on(output, state, again, number=2, since=2)


def test_a_mark_without_the_rings_proof_is_not_signed(output: Output) -> None:
    for bucket in (0, 1):
        mark(output, 0, bucket)
    write_mark(output, Window(STREAM, BEGIN_S, BEGIN_S + INTERVAL_S), 0, READ, buckets=2, events=7)
    with pytest.raises(UnbalancedBooks, match="was not written with this key ring"):
        WindowManifests(state_of(output, 1), signing(output)).take_in()
    assert begin_chain(output, SIGNER).number == 0


def test_a_row_of_another_day_is_told_by_its_windows_mark(output: Output) -> None:
    """Late events of the day before have a ledger row of their own, for which the mark vouches."""
    from datetime import date

    from transforms.core.output.layout import FileName

    window = Window(STREAM, BEGIN_S, BEGIN_S + INTERVAL_S)
    late = output.file(LEDGER, date(2026, 3, 30), FileName(window.name, 0, 2))
    source = write_mark(output, window, 0, READ, buckets=2)
    prove(source)
    Path(late).parent.mkdir(parents=True)
    Path(late).write_bytes(Path(source).read_bytes())
    mark(output, 0, 0, file_digests=[("ledger/2026-03-30", storage.file_digest(late))], file_bytes=[])
    mark(output, 0, 1)
    WindowManifests(state_of(output, 1), signing(output)).take_in()
    assert differences(output) == []
