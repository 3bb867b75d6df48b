"""A signed output whose signing key was renewed because it leaked, and what somebody can write who has the old key."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pipelines import keys, sign
from pipelines.recording.record import new_record
from schemas.errors import ExitCode
from tests.conftest import KEY_RING, run_batch, sample, write_lines
from tests.support.signed_outputs import make_signed_output, verified
from transforms.core.chains.chain_files import path_of
from transforms.core.chains.renewal import link_facts
from transforms.core.chains.run_manifest import RunManifest, digest_of, key_of, read_signed, signed
from transforms.core.keys import keyring
from transforms.core.keys.public_key import shown_key
from transforms.core.keys.retired import LEAKED, RetiredKey
from transforms.core.keys.signing import Signer
from transforms.core.output.layout import Output


def signer_of(ring: Path | str) -> Signer:
    signer = keyring.load(str(ring)).signer
    assert signer is not None
    return signer


OLD = signer_of(KEY_RING)
"""What the attacker has."""

FOREIGN = Signer(b"x" * 31 + b"y")
"""What anybody can make."""

LINK, LAST = 4, 6
"""Manifests 1 to 3 are of the old key, 4 is the link, 5 tells the ring's new edition, 6 is a run after it."""


@dataclass(frozen=True)
class Renewed:
    """Where all of it lies."""

    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def ring(self) -> Path:
        return self.folder / "ring"

    @property
    def witness(self) -> str:
        """Of before the key was renewed."""
        return f"--witness={self.folder / 'seen.json'}"

    @property
    def old_key(self) -> str:
        return f"--public_key={self.folder / 'old.pub'}"

    @property
    def new_key(self) -> str:
        return f"--public_key={self.folder / 'new.pub'}"

    def copied(self, to: Path) -> "Renewed":
        return Renewed(Path(shutil.copytree(self.folder, to)))

    def renew(self, reason: str = "leaked") -> None:
        key = shown_key(signer_of(self.ring).public_key)
        keys.main(["renew_signing", f"--key_ring={self.ring}", f"--reason={reason}", self.new_key, f"--confirm={key}"])

    def sign(self, *flags: str) -> None:
        sign.main([f"--datasets={self.output}", f"--key_ring={self.ring}", *flags])

    def run(self, name: str) -> None:
        """A run of another input, under the ring as it is now."""
        raw = write_lines(self.folder / f"{name.replace('/', '.')}.ndjson", [sample(name)])
        run_batch(raw, self.output, f"--key_ring={self.ring}")


def copy_ring(to: Path) -> None:
    """The tests' ring, to be changed."""
    shutil.copytree(KEY_RING, to)
    to.chmod(0o700)
    (to / "ring.json").chmod(0o600)


def make_output(folder: Path) -> Renewed:
    """A signed output of three runs, its witness, and a ring of its own."""
    make_signed_output(folder)
    made = Renewed(folder)
    copy_ring(made.ring)
    shutil.copy(made.output / "_signing.pub", folder / "old.pub")
    add_record(made.output, OLD)
    verified(made.output, made.old_key, made.witness)
    return made


def make_renewed(folder: Path) -> Renewed:
    made = make_output(folder)
    made.renew()
    made.sign(made.witness)
    made.run("outcomes/pass/ghostText.accepted")
    return made


def add_record(output: Path, signer: Signer) -> None:
    """The record of a run that was well."""
    record = new_record("batch", ["raw/"], None, "DirectRunner")
    record.end(ExitCode.DONE, None)
    record.save(Output(str(output)), signer.sign)


def manifest_path(output: Path, number: int, chain: str = "output") -> Path:
    return output / path_of(chain, number)


def read_manifest(output: Path, number: int, chain: str = "output") -> RunManifest:
    data = manifest_path(output, number, chain).read_bytes()
    return read_signed(data, key_of(data))


def put_manifest(output: Path, number: int, signer: Signer, change: Callable[[RunManifest], RunManifest]) -> None:
    """Another manifest in the place of one, signed by whom it pleases."""
    manifest_path(output, number).write_bytes(signed(change(read_manifest(output, number)), signer))


def append_manifest(output: Path, signer: Signer, **changes: object) -> None:
    """One more manifest at the end, which follows what lies there."""
    last = max(int(path.stem) for path in output.glob("runs/manifests/output/000000/*.jsonl"))
    before = digest_of(manifest_path(output, last).read_bytes())
    told = {"number": last + 1, "before": before, "kind": "erase", "facts": {"rows": 1}, "put": [], "removed": []}
    manifest = msgspec.structs.replace(read_manifest(output, last), **{**told, **changes})
    manifest_path(output, last + 1).write_bytes(signed(manifest, signer))


def cut_off(output: Path, number: int) -> None:
    """Takes the chain's end away from that manifest on."""
    for path in output.glob("runs/manifests/output/000000/*.jsonl"):
        if int(path.stem) >= number:
            path.unlink()


def link_from(key: bytes, vouched_to: int = 9) -> dict[str, object]:
    """The facts of a forged link."""
    return link_facts(RetiredKey(key, datetime.now(UTC).replace(microsecond=0), LEAKED), vouched_to, {})
