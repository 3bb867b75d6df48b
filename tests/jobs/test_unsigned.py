"""A run is killed between its last ledger row and its manifest; then landed files change, and then the run comes again."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import batch, compact, erase, expire, sign, withdraw
from pipelines.running import input_run
from pipelines.streams.start import begin
from schemas.errors import InvalidOptions, UnbalancedBooks
from tests.conftest import KEY_RING, PRIVATE, run_batch, sample, write_lines
from tests.curating.test_windows import rows_of
from tests.jobs.test_erase import assert_no_trace, traces
from tests.support.changes import done, dry
from tests.support.persons import life, people_file
from tests.support.signed_outputs import problems, verified, write_public_key
from tests.support.windowed import Windows
from transforms.core.blocks import Block, Taken
from transforms.core.chains.chain import begin_chain
from transforms.core.chains.run_signing import Signing
from transforms.core.chains.unsigned_inputs import unsigned_inputs
from transforms.core.chains.window_manifests import WindowManifests
from transforms.core.keys import keyring
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.open_ring import open_signing
from transforms.core.output import stream_state
from transforms.core.output.layout import OUTPUT_FILE, Output
from transforms.core.reading.open_log import stream_digest
from transforms.core.shuffle.windows import Window, boundary_after

KEYS = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
ERASED, PEOPLE = [1], range(4)
INTERVAL_S = 3600
PAST, CLOSED, NOW = timedelta(days=420), timedelta(days=10), timedelta(hours=1)
CHANGES: dict[str, Callable[..., None]] = {
    "erase": erase.main, "withdraw": withdraw.main, "compact": compact.main, "expire": expire.main
}  # fmt: skip


def documents(since: timedelta, number: int) -> list[dict[str, Any]]:
    at = datetime.now(UTC) - since
    return [row for person in PEOPLE for row in life(person, number, f"{at:%Y-%m-%dT%H:%M:%S.%f}Z")]


def flags_of(job: str, folder: Path) -> list[str]:
    more = {"erase": {}, "withdraw": {"snippet_consent": False}}
    people = [f"--people={people_file(folder, ERASED, **more[job])}", *KEYS] if job in more else []
    return [f"--datasets={folder}/out", f"--key_ring={KEY_RING}", *people]


def change(job: str, folder: Path) -> None:
    """Makes a change; compaction leaves unsigned days alone the first time, and signs them."""
    told = done(CHANGES[job], *flags_of(job, folder))
    if job == "compact" and told == "nothing was to be compacted\n":
        told = done(CHANGES[job], *flags_of(job, folder))
    assert "receipt: " in told


def killed_before_it_signs(flags: list[str]) -> None:
    """A child's work: the batch job, up to its manifest."""

    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    input_run.sign_input = die  # type: ignore[assignment]
    batch.run(flags)


def run_killed(raw: Path, output: Path) -> None:
    flags = [f"--input={raw}", f"--output={output}", f"--key_ring={KEY_RING}", "--buckets=4"]
    child = multiprocessing.get_context("spawn").Process(target=killed_before_it_signs, args=(flags,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of one signed run, and one that was killed; of both there are rows in days that are closed, or past."""
    folder = tmp_path_factory.mktemp("unsigned")
    for number, name in enumerate(("signed", "killed")):
        of_times = [documents(since, 3 * number + n) for n, since in enumerate((PAST, CLOSED, NOW))]
        write_lines(folder / f"{name}.ndjson", [document for found in of_times for document in found])
    run_batch(folder / "signed.ndjson", folder / "out")
    run_killed(folder / "killed.ndjson", folder / "out")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def key(tmp_path: Path) -> str:
    return f"--public_key={write_public_key(tmp_path / 'signing.pub')}"


def test_verify_says_that_a_run_was_cut_off_until_it_comes_again(
    made: Path, folder: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = folder / "out"
    assert any("no manifest names it; where its run" in line for line in problems(output, capsys, key))
    (digest,) = unsigned_inputs(Output(str(output)))
    with pytest.raises(UnbalancedBooks):
        verified(output, key)
    assert f"warning: _unsigned/{digest}.json: a run of that input" in capsys.readouterr().err
    run_batch(made / "killed.ndjson", output)
    assert unsigned_inputs(Output(str(output))) == []
    verified(output, key)


@pytest.mark.parametrize("job", CHANGES)
def test_a_change_signs_first_what_a_killed_batch_run_left(
    made: Path, folder: Path, key: str, job: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(job, folder)
    assert "whose run was cut off before it had" in capsys.readouterr().err
    verified(folder / "out", key)
    rows = rows_of(folder / "out")
    run_batch(made / "killed.ndjson", folder / "out")
    verified(folder / "out", key)
    assert rows_of(folder / "out") == rows


def test_sign_signs_what_a_killed_run_left(folder: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where its raw files are gone, nobody can run it again."""
    flags = [f"--datasets={folder}/out", f"--key_ring={KEY_RING}"]
    sign.main(flags)
    assert "whose run was cut off before it had" in capsys.readouterr().out
    verified(folder / "out", key)
    with pytest.raises(InvalidOptions, match="is signed already"):
        sign.main(flags)


@dataclass(frozen=True)
class Stream:
    """Windows of a folder's stream, each with a part of the documents, as the endless job publishes them."""

    source: str
    output: Output
    parts: list[list[dict[str, Any]]]
    begin_s: int

    def publish(self, number: int, buckets: list[int] | None = None, of: int = 2) -> None:
        """Writes a window, or some buckets of it; its job is another one each time."""
        before, lines = sum(map(len, self.parts[:number])), [json.dumps(one).encode() for one in self.parts[number]]
        block = Block(lines=lines, taken=[Taken("0", before, before + len(lines))])
        begin_s = self.begin_s + number * INTERVAL_S
        window = Window(stream_digest(self.source), begin_s, begin_s + INTERVAL_S)
        Windows(Path(self.output.path), of).publish(window, block, buckets)

    def start(self) -> None:
        """What the job does when it is started, up to its first window, and when one becomes whole."""
        output, stream, keys = self.output, stream_digest(self.source), open_signing(KEY_RING)
        assert keys
        if stream_state.load(output, stream) is None:
            stream_state.StreamState(output, stream, self.begin_s).save()
        signing = Signing(begin_chain(output, keys.signer), keys.proof, [OUTPUT_FILE])
        interval = timedelta(seconds=INTERVAL_S)
        state = begin(SimpleNamespace(input=self.source, output=output, publish_interval=interval), signing)
        manifests = WindowManifests(state, signing)
        manifests.take_in()
        manifests.start()


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Stream, Stream]:
    """Two outputs of the same three windows: of one the second is not signed and half of the third is there."""
    folder = tmp_path_factory.mktemp("streamed")
    (folder / "in").mkdir()
    parts = [
        documents(PAST, 0) + documents(CLOSED, 1),
        documents(CLOSED, 2) + documents(PAST, 3),
        documents(CLOSED, 4) + documents(NOW, 5),
    ]
    for name in ("out", "whole"):
        run_batch(write_lines(folder / "first.ndjson", [sample()]), folder / name)
    begin_s = boundary_after(int(time.time()) - 5 * INTERVAL_S, INTERVAL_S)
    killed, whole = (
        Stream(str(folder / "in"), Output(str(folder / name)), parts, begin_s) for name in ("out", "whole")
    )
    for stream in (killed, whole):
        stream.start()
        stream.publish(0)
        stream.start()
        stream.publish(1)
    killed.publish(2, [bucket_of(killed, ERASED[0])])
    whole.publish(2)
    whole.start()
    return folder, killed, whole


@pytest.mark.parametrize("job", CHANGES)
def test_a_change_signs_first_what_a_killed_stream_left(
    streamed: tuple[Path, Stream, Stream], tmp_path: Path, key: str, job: str, capsys: pytest.CaptureFixture[str],
    ring: KeyRing,
) -> None:  # fmt: skip
    folder, *streams = streamed
    killed, whole = (
        copied(stream, folder, tmp_path / name) for stream, name in zip(streams, ("killed", "whole"), strict=True)
    )
    for each in (tmp_path / "whole", tmp_path / "killed"):
        change(job, each)
    assert "signed the last windows of stream" in capsys.readouterr().err
    if job == "erase":
        assert_no_trace(tmp_path / "killed" / "out", traces(ring, ERASED))
    check_goes_on(killed, whole, key)


def check_goes_on(killed: Stream, whole: Stream, key: str) -> None:
    """Both are started again, and the third window is published whole: then they are the same."""
    killed.start()
    killed.publish(2, of=4)  # files of other names than the half that was there, and that is gone now
    killed.start()
    whole.start()
    for each in (whole, killed):
        verified(each.output.path, key)
    assert rows_of(Path(killed.output.path)) == rows_of(Path(whole.output.path))


def test_a_stream_whose_state_was_removed_is_known_by_its_marks(
    streamed: tuple[Path, Stream, Stream], tmp_path: Path, key: str
) -> None:
    folder, *streams = streamed
    killed, whole = (
        copied(stream, folder, tmp_path / name) for stream, name in zip(streams, ("killed", "whole"), strict=True)
    )
    Path(killed.output.beside(stream_state.state_path(stream_digest(killed.source)))).unlink()
    for each in (tmp_path / "whole", tmp_path / "killed"):
        change("erase", each)
    check_goes_on(killed, whole, key)


def test_compaction_leaves_out_what_is_not_signed(folder: Path) -> None:
    (digest,) = unsigned_inputs(Output(f"{folder}/out"))
    text, _ = dry(compact.main, *flags_of("compact", folder))
    assert f"is left out: input {digest} is not signed, its run was cut off" in text


def bucket_of(stream: Stream, person: int) -> int:
    """The bucket that has files in which rows of a person are."""
    wanted = traces(keyring.load(KEY_RING), [person])
    files = stream.output.listing().files("displays")
    return next(f.name.bucket for f in files if wanted & {*pq.read_table(f.path)["installation_id"].to_pylist()})


def copied(stream: Stream, folder: Path, to: Path) -> Stream:
    """The same with its output elsewhere."""
    shutil.copytree(stream.output.path, to / "out")
    return replace(stream, output=Output(str(to / "out")))
