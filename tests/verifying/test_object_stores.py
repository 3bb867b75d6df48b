"""A signed output in real object store servers: written, verified and tampered with."""

from pathlib import Path

import fsspec
import pytest

from tests.conftest import run_batch, sample, write_lines
from tests.support.renewed import Renewed, copy_ring
from tests.support.servers import BUCKET, store_of
from tests.support.signed_outputs import problems, verified, write_public_key


@pytest.mark.parametrize("store", ["gs", "s3"])
def test_a_signed_output_in_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str], store: str) -> None:
    with store_of(store, tmp_path) as bucket:
        output, key = f"{bucket}/out", f"--public_key={write_public_key(tmp_path / 'signing.pub')}"
        raw = write_lines(tmp_path / "raw.ndjson", [sample(), sample("outcomes/pass/ghostText.accepted")])
        run_batch(raw, output)
        run_batch(raw, output)
        witness = f"--witness={tmp_path / 'seen.json'}"
        verified(output, key, witness)
        files = fsspec.filesystem(store)
        manifests = sorted(files.find(f"{BUCKET}/out/runs/manifests"))
        assert [path.rpartition("/")[2] for path in manifests] == ["000000001.jsonl"]
        (display,) = files.find(f"{BUCKET}/out/displays")
        data = files.cat_file(display)
        files.pipe_file(display, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        assert any("altered: its content" in line for line in problems(output, capsys, key))
        files.pipe_file(display, data)
        files.pipe_file(f"{BUCKET}/out/notes.txt", b"x")
        assert any(line.startswith("notes.txt: no manifest") for line in problems(output, capsys, key))
        files.rm_file(f"{BUCKET}/out/notes.txt")
        verified(output, key, witness)
        files.rm_file(display)
        assert any("gone with all of its 1 files" in line for line in problems(output, capsys, key))
        files.pipe_file(display, data)
        run_batch(write_lines(tmp_path / "more.ndjson", [sample("outcomes/pass/ghostText.rejected")]), output)
        verified(output, key, witness)
        made = Renewed(tmp_path)
        copy_ring(made.ring)
        made.renew()
        made.sign(f"--datasets={output}", witness)
        verified(output, made.new_key, witness)
        old = files.cat_file(f"{BUCKET}/out/runs/manifests/output/000000/000000001.jsonl")
        files.pipe_file(f"{BUCKET}/out/runs/manifests/output/000000/000000005.jsonl", old)
        assert any("that manifest 3 has retired" in line for line in problems(output, capsys, made.new_key))
