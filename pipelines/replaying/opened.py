"""One replay: opens what is chosen, which the audit trail is told first, and sends through the job what is well now."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import partial
from typing import Any

from pipelines.options.audit_flags import trail_of
from pipelines.options.known_values import read_vocabulary
from pipelines.options.manifests import read_manifests
from pipelines.recording.recorder import Recorder
from pipelines.replaying.clock import latest_received_us
from pipelines.replaying.consents import consents_now
from pipelines.replaying.ending import JOB, end, end_what_was_written_down, is_written_down, write_down
from pipelines.replaying.plan import Going, ReplayPlan, digest_of, plan_of
from pipelines.replaying.selection import Wanted, choose, parts_of
from pipelines.replaying.trial import Trial, TrialSettings
from pipelines.running.input_run import BatchInput, run_input
from schemas.errors import InvalidOptions, KeyUnavailable, StorageUnavailable
from transforms.core import storage
from transforms.core.audit.reading import Reading
from transforms.core.audit.trail import append
from transforms.core.batches import QUARANTINE
from transforms.core.chains.as_signed import check_as_signed
from transforms.core.chains.chain import chain_to_append
from transforms.core.decoding.sealed_part import SealedPart, payloads_of
from transforms.core.keys import keyring
from transforms.core.keys.open_ring import open_signer
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.roles import OPERATORS
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.books import Books
from transforms.core.output.output_facts import check_output
from transforms.core.output.replayed import was_replayed
from transforms.core.output.unfinished import Unfinished, begun, check_is_of, read_unfinished
from transforms.steps.read_quarantine import ReadQuarantine


class Replay:
    """A replay with the flags of its job. Every way into quarantine goes through `_read`, which writes it down."""

    def __init__(self, options: Any) -> None:
        self._options = options
        self._output = options.output
        self._ring = keyring.load(options.key_ring)
        check_output(self._output, options.buckets, self._ring)
        self._keys = load_private(options.private_key)
        if self._keys.role != OPERATORS:
            raise KeyUnavailable(f"--private_key: role {self._keys.role} opens no body of quarantine; operators do")
        self._wanted = Wanted(options.reason or (), options.date or (), options.stage or ())

    def plan(self) -> ReplayPlan:
        """Chooses payloads, opens them and tries them; raises PipelineError."""
        chosen = choose(self._output, self._wanted)
        self._read(chosen.days, chosen.rows, "try payloads again")
        consents = consents_now(self._output, self._options.consents, self._keys)
        return plan_of(chosen, self._keys, self._trial(), consents)

    def input_of(self, checksum: str) -> BatchInput | None:
        """What the plan of that checksum sends through the job; None where it is nothing, or was sent before.

        Where it was cut off before, exactly what it was to do then. Raises InvalidOptions where the checksum is that
        of something else, UnfinishedChange where another change was cut off.
        """
        found = read_unfinished(self._output)
        if found is None:
            planned = self._planned(checksum)
            return None if planned is None else self._input(planned, frozenset())
        check_is_of(self._output, found, JOB, checksum)
        going = found.payload_as(tuple[Going, ...])
        if is_written_down(self._output, going):
            end_what_was_written_down(self._output, open_signer(self._options.key_ring), found)
            return None
        return self._input(found, self._refused_now(going))

    def _planned(self, checksum: str) -> Unfinished | None:
        """What is to be done by a run that begins; None where it is nothing."""
        if was_replayed(self._output, checksum):
            return None  # a run that was killed at its very end is run again
        plan = self.plan()
        if plan.checksum != checksum:
            raise InvalidOptions(
                f"--checksum {checksum}: what would be replayed now is something with another checksum; run "
                "--dry_run again with the same flags and read what it prints"
            )
        return begun(JOB, checksum, plan.told, plan.going) if plan.going else None

    def _refused_now(self, going: Sequence[Going]) -> frozenset[str]:
        """Those that would go aside again since the run that was cut off: keys of their month may have been destroyed.

        They are not told as replayed.
        """
        self._read(sorted({one.day for one in going}), len(going), "try payloads again")
        trial, parts = self._trial(), self._parts(going, digest_of(going))
        refused = (trial.refused(payloads_of(part, self._keys)) for part in parts)
        return frozenset().union(*refused)

    def run(self, found: BatchInput, recorder: Recorder) -> Books:
        """Sends it through the job."""
        return run_input(self._options, found, recorder)

    def _read(self, days: Sequence[date], rows: int, action: str) -> None:
        options, keys = self._options, self._keys
        reading = Reading(keys.reader, keys.role, action, QUARANTINE, tuple(days), rows, options.purpose)
        append(trail_of(self._output, options.audit_log), reading)

    def _trial(self) -> Trial:
        options = self._options
        return Trial(
            TrialSettings(
                keys=step_keys_of(self._ring),
                geo_database=options.geo_database,
                vocabulary=read_vocabulary(options.known_values),
                manifests=read_manifests(options.telemetry_manifest),
                lookback=options.lookback,
                horizon=options.suggestion_horizon,
            )
        )

    def _input(self, change: Unfinished, stays: frozenset[str]) -> BatchInput:
        going = change.payload_as(tuple[Going, ...])
        digest = digest_of(going)
        parts = self._parts(going, digest)
        self._read(sorted({one.day for one in going}), len(going), JOB)
        return BatchInput(
            digest=digest,
            ranges=[sealed.part for sealed in parts],
            elements=lambda _: parts,
            read=ReadQuarantine(storage.absolute(self._options.private_key)),
            patterns=[QUARANTINE],
            least_clock_us=latest_received_us(self._output.listing()),
            finishes=True,
            held=partial(self._begin, change, going, parts),
            done=partial(self._end, change.checksum, going, stays),
        )

    def _parts(self, going: Sequence[Going], digest: str) -> list[SealedPart]:
        return parts_of(self._output, {(one.day, one.payload_id): one.now for one in going}, digest)

    def _begin(self, change: Unfinished, going: Sequence[Going], parts: Sequence[SealedPart]) -> None:
        """Called when the output is held: what was looked at before must still be there."""
        found = read_unfinished(self._output)
        if found is not None:
            check_is_of(self._output, found, JOB, change.checksum)
        if self._parts(going, digest_of(going)) != list(parts):
            raise StorageUnavailable(f"quarantine of {self._output} has changed since it was looked at; run it again")
        self._check_signed(going, {part.path for part in parts})
        change.save(self._output)

    def _check_signed(self, going: Sequence[Going], paths: Collection[str]) -> None:
        """What lands is vouched for, so each file that is opened must be as it was signed; of this replay that was cut
        off before, files of its own may be among them.
        """
        chain = chain_to_append(self._output, open_signer(self._options.key_ring))
        if chain is None:
            return
        listed = self._output.listing().files(QUARANTINE, days=sorted({one.day for one in going}))
        files = [file for file in listed if file.path in paths]
        own = {file.place for file in files if file.name.input == digest_of(going)}
        check_as_signed(self._output, chain, [file.place for file in files], own)

    def _end(self, checksum: str, going: Sequence[Going], stays: frozenset[str], _: Books) -> None:
        """Called when everything has landed."""
        write_down(self._output, checksum, going, stays)
        end(self._output, open_signer(self._options.key_ring), going)
