"""Files that are believed only where nobody else could have written them, and what is written so that nobody can."""

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipelines import keys, snippets
from schemas import errors
from schemas.errors import InvalidOptions, KeyUnavailable, PipelineError, StorageUnavailable
from schemas.locations import without_secrets
from tests.conftest import PRIVATE, run_batch, sample, write_lines
from transforms.core import storage
from transforms.core.keys import keyring
from transforms.core.keys.documents import key_text
from transforms.core.keys.private_keys import load_private
from transforms.core.keys.seal import _LOW_ORDER, is_sound_public_key
from transforms.core.reading.kafka.admin import TopicAdmin, load_config
from transforms.core.reading.open_log import kafka_parts


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    keys.create(str(tmp_path / "ring"), "2026-03", 2)
    return tmp_path / "ring"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666])
def test_a_ring_that_others_may_write_is_refused(ring: Path, bits: int) -> None:
    (ring / "ring.json").chmod(bits)
    with pytest.raises(KeyUnavailable, match=r"may be written by others \(mode 0\d+\): chmod go-w"):
        keyring.load(str(ring))
    (ring / "ring.json").chmod(0o600)
    (ring / "private" / "prompts.json").chmod(bits)
    with pytest.raises(KeyUnavailable, match=r"role key file .* may be written by others"):
        load_private(str(ring / "private" / "prompts.json"))


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_is_refused(ring: Path, bits: int) -> None:
    ring.chmod(bits)
    with pytest.raises(KeyUnavailable, match=r"the folder .* of the key ring may be written by others"):
        keyring.load(str(ring))
    ring.chmod(bits | stat.S_ISVTX)  # nobody else may put another file into its place
    keyring.load(str(ring))
    with pytest.raises(KeyUnavailable, match="may be written by others"):
        (ring.parent / "open").mkdir()
        (ring.parent / "open").chmod(0o777)
        keys.create(str(ring.parent / "open"), "2026-03", 1)


def test_a_mounted_secret_works_with_a_warning(ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As Kubernetes mounts one: links to `..data`, itself a link, files of mode 0644, a sticky folder."""
    mount = tmp_path / "mount"
    (mount / "..2026_11_26").mkdir(parents=True)
    mount.chmod(0o1777)
    shutil.copy(ring / "ring.json", mount / "..2026_11_26" / "ring.json")
    (mount / "..2026_11_26" / "ring.json").chmod(0o644)
    (mount / "..data").symlink_to("..2026_11_26")
    (mount / "ring.json").symlink_to("..data/ring.json")
    run_batch(write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out", f"--key_ring={mount}")
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert warned == [f"warning: {mount}/ring.json may be read by every user of this machine (mode 0644): "
                      f"chmod o-r {mount}/ring.json"]  # fmt: skip
    (mount / "..2026_11_26" / "ring.json").chmod(0o640)
    keys.main(["list", f"--key_ring={mount}"])
    assert "warning" not in capsys.readouterr().err
    (mount / "..2026_11_26").chmod(0o777)
    with pytest.raises(KeyUnavailable, match="may be written by others"):
        keyring.load(str(mount))


def changed(ring: Path, change: Callable[[dict[str, Any]], Any], name: str = "ring.json") -> None:
    document = json.loads((ring / name).read_text())
    result = change(document)
    (ring / name).write_text(result if isinstance(result, str) else json.dumps(document))


def set_to(*place: str) -> Callable[[Any], Callable[[dict[str, Any]], None]]:
    def with_value(value: Any) -> Callable[[dict[str, Any]], None]:
        def change(document: dict[str, Any]) -> None:
            for name in place[:-1]:
                document = document[name]
            document[place[-1]] = value

        return change

    return with_value


def key(byte: int, size: int = 32) -> str:
    return base64.b64encode(bytes([byte, *range(1, size)])).decode()


UNSOUND: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (set_to("version")(4), "of version 4; this program reads up to 3"),
    (set_to("version")(True), "of version"),
    (set_to("version")("1"), "of version unknown"),
    (set_to("more")(1), "member that this version does not know"),
    (set_to("transport")(key(1, 31)), "transport is no key of 32 bytes"),
    (set_to("transport")(key(1, 33)), "transport is no key of 32 bytes"),
    (set_to("transport")(""), "transport is no key"),
    (set_to("transport")(None), "transport is no key"),
    (set_to("transport")(key(1) + "\n"), "transport is no key"),
    (set_to("transport")(key(1).replace("A", "!", 1) + "!!!!"), "transport is no key"),
    (set_to("correlation")(base64.b64encode(bytes(32)).decode()), "correlation is one byte again and again"),
    (set_to("epochs", "2026-13")(key(2)), "names a key that is no month"),
    (set_to("epochs", "٢٠٢٦-٠٣")(key(2)), "names a key that is no month"),
    (set_to("epochs", "2026-05")(key(2)), "2026-05 is in one of them alone"),
    (set_to("epochs", "2026-03")(key(3, 16)), r"epochs\.2026-03 is no key of 32 bytes"),
    (set_to("destroyed")(["2026-03"]), "2026-03 was destroyed and still has a key"),
    (set_to("destroyed")(["2026-01", "2026-01"]), "names a month twice"),
    (set_to("destroyed")("2026-01"), "no list of months"),
    (
        set_to("readers", "prompts", "prompts", "public_keys", "2026-03")(
            base64.b64encode(bytes(31) + b"\x80").decode()
        ),
        "no public key",
    ),
    (
        set_to("readers", "prompts", "prompts", "public_keys", "2026-03")(
            base64.b64encode(b"\x01" + bytes(31)).decode()
        ),
        "no public key",
    ),
    (set_to("readers", "others")({}), "object of the roles"),
    (set_to("readers", "operators", "operators", "public_keys")({"2026-03": key(4)}), "is not standing"),
    (set_to("readers", "prompts")([]), "readers.prompts is no object of readers"),
    (set_to("readers", "prompts", "2026-03")({}), "readers.prompts is no object of readers"),
    (set_to("readers", "prompts", "prompts")([]), "readers.prompts.prompts is no object"),
    (set_to("readers", "prompts", "prompts")({}), "without 'public_keys'"),
    (set_to("readers", "prompts", "prompts", "more")(1), "member that this version does not know"),
    (set_to("readers", "prompts", "prompts", "until")("2026-1"), "until is no month"),
    (set_to("readers", "prompts", "prompts", "until")("2026-03"), "2026-03 is in one of them alone"),
    (set_to("readers", "prompts", "prompts", "receipt_key")(""), "receipt_key is no key of 32 bytes"),
    (set_to("signing")(None), "signing is no key of 32 bytes"),
    (lambda d: d.update({"signing": d["transport"]}), "transport and signing are the same key"),
    (set_to("edition")(0), "edition is no whole number of 1 or more"),
    (set_to("edition")(True), "edition is no whole number"),
    (set_to("edition")(1.0), "edition is no whole number"),
    (set_to("destroying")(["2026-03"]), "2026-03 is being destroyed and still has a key of pseudonyms"),
    (set_to("epochs")([]), "epochs is no object"),
    (lambda d: d["epochs"].update({"2026-03": d["epochs"]["2026-04"]}), "are the same key"),
    (lambda d: d.update({"transport": d["correlation"]}), "are the same key"),
    (lambda d: d["readers"]["prompts"].update(prompts=d["readers"]["completions"]["completions"]), "are the same key"),
    (lambda d: json.dumps(d).replace('"transport"', '"transport": "x", "transport"'), "no JSON"),
    (lambda d: json.dumps(d).replace('"2026-03": ', '"2026-03": "x", "2026-03": ', 1), "no JSON"),
    (lambda d: "[" * 100_000, "no JSON"),
    (lambda d: "[]", "no JSON object"),
    (lambda d: "{}", "of version unknown"),
    (lambda d: " " * 5_000_000, "larger than any key ring"),
]


@pytest.mark.parametrize(("change", "shown"), UNSOUND)
def test_unsound_rings_are_refused_without_a_key_in_the_line(
    ring: Path, change: Callable[[dict[str, Any]], Any], shown: str
) -> None:
    secrets = [v for v in json.loads((ring / "ring.json").read_text()).values() if isinstance(v, str)]
    changed(ring, change)
    with pytest.raises(KeyUnavailable, match=shown) as found:
        keyring.load(str(ring))
    assert not any(secret in str(found.value) for secret in secrets)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (set_to("role")("owners"), "of no role"),
        (set_to("role")(["prompts"]), "of no role"),
        (set_to("private_keys", "2026-03")(key(1, 31)), "no key of 32 bytes"),
        (set_to("private_keys", "standing")(key(1)), "no month"),
        (lambda d: d["private_keys"].update({"2026-03": d["private_keys"]["2026-04"]}), "are the same key"),
        (lambda d: json.dumps(d).replace('"role"', '"role": "operators", "role"'), "no JSON"),
    ],
)
def test_unsound_role_key_files_are_refused(ring: Path, change: Callable[[dict[str, Any]], Any], shown: str) -> None:
    changed(ring / "private", change, "prompts.json")
    with pytest.raises(KeyUnavailable, match=f"is not a role key file: .*{shown}"):
        load_private(str(ring / "private" / "prompts.json"))


def test_the_list_of_bad_points_is_what_the_exchange_refuses() -> None:
    own = X25519PrivateKey.generate()
    for number in _LOW_ORDER:
        for raw in (number.to_bytes(32, "little"), (number | 1 << 255).to_bytes(32, "little")):
            assert not is_sound_public_key(raw)
            with pytest.raises(ValueError, match="Error computing shared key"):
                own.exchange(X25519PublicKey.from_public_bytes(raw))
    assert is_sound_public_key(own.public_key().public_bytes_raw())


def test_the_output_remembers_the_whole_ring(ring: Path, tmp_path: Path) -> None:
    raw, out = write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out"
    flags = (raw, out, f"--key_ring={ring}")
    run_batch(*flags)
    facts = json.loads((out / "_output.json").read_text())
    (out / "_output.json").write_text(json.dumps({"version": 1, "buckets": 16, "key_ring": facts["key_ring"]}))
    run_batch(*flags)
    again = json.loads((out / "_output.json").read_text())
    for change in ("landing_from", "sender_from"):
        assert again.pop(change) > facts.pop(change)  # of months that an older version wrote
    assert again == facts
    keys.rotate(str(ring), f"{ring}/private", "2026-06")
    run_batch(*flags)
    keys.destroy(str(ring), f"{ring}/private", "2026-04")
    run_batch(*flags)
    good = (ring / "ring.json").read_bytes()
    other = base64.b64encode(X25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    for place, value in (
        (("readers", "prompts", "prompts", "public_keys", "2026-03"), other),
        (("readers", "operators", "operators", "public_keys", "standing"), other),
        (("epochs", "2026-06"), key(9)),
        (("transport",), key(9)),
        (("signing",), key(9)),
    ):
        changed(ring, set_to(*place)(value))
        shown = f"public_keys.{place[1]}.{place[-1]}" if place[0] == "readers" else ".".join(place)
        with pytest.raises(InvalidOptions, match=f"{shown} is another key than the one"):
            run_batch(*flags)
        (ring / "ring.json").write_bytes(good)
    ring_now = keyring.load(str(ring))
    for months in (ring_now.epochs, *(ring_now.public_keys[r][r] for r in ("prompts", "completions"))):
        del months["2026-05"]
    (ring / "ring.json").write_bytes(keyring.dumps(ring_now))
    with pytest.raises(InvalidOptions, match=r"2026-05, with which .* was written, is gone, and not by pipelines.keys"):
        run_batch(*flags)
    shown = (out / "_output.json").read_text()
    for entry in keyring.KeyRing.entries.fget(ring_now).values():  # type: ignore[attr-defined]
        assert key_text(entry) not in shown
        assert entry.hex() not in shown


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1, "buckets": "4", "key_ring": "x"}', "\x00"])
def test_damaged_output_facts_are_one_line(tmp_path: Path, content: str) -> None:
    raw, out = write_lines(tmp_path / "raw.ndjson", [sample()]), tmp_path / "out"
    out.mkdir()
    (out / "_output.json").write_text(content)
    with pytest.raises(StorageUnavailable, match=r"_output\.json is damaged; bring it back"):
        run_batch(raw, out)
    (out / "_output.json").write_text('{"version": 6, "slots": 4, "key_ring": "x"}')
    with pytest.raises(StorageUnavailable, match="is of version 6; this program reads up to 5"):
        run_batch(raw, out)


def test_keys_are_made_exclusively_and_keep_their_mode(ring: Path, tmp_path: Path) -> None:
    assert mode(ring) == 0o700
    assert mode(ring / "private") == 0o700
    (tmp_path / "new" / "private").mkdir(parents=True)
    (tmp_path / "new" / "private" / "prompts.json").write_text("a key that must not go")
    with pytest.raises(InvalidOptions, match="it is not replaced; move it elsewhere first"):
        keys.create(str(tmp_path / "new"), "2026-03", 1)
    assert (tmp_path / "new" / "private" / "prompts.json").read_text() == "a key that must not go"
    (ring / "ring.json").chmod(0o640)
    keys.rotate(str(ring), f"{ring}/private", "2026-05")
    assert mode(ring / "ring.json") == 0o640
    assert mode(ring / "private" / "prompts.json") == 0o600
    assert not [p for p in ring.rglob("*") if p.name.startswith(".")]


def test_planted_links_are_not_followed(ring: Path, tmp_path: Path) -> None:
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    shared.mkdir()
    victim.write_text("mine")
    for name in ("code.jsonl", ".writing-code.jsonl.half", ".writing-ring.json.half"):
        (shared / name).symlink_to(victim)
    storage.write_private(str(shared / "code.jsonl"), b"code")
    storage.write_atomic(str(shared / "ring.json"), b"data")
    assert victim.read_text() == "mine"
    assert (shared / "code.jsonl").read_bytes() == b"code"
    assert not (shared / "code.jsonl").is_symlink()
    assert storage.write_private(str(shared / "code.jsonl"), b"other", replaces=False) is False
    (shared / "dangling").symlink_to(tmp_path / "nowhere")
    assert storage.write_private(str(shared / "dangling"), b"other", replaces=False) is False
    assert not (tmp_path / "nowhere").exists()


def test_code_in_clear_is_its_readers_alone(tmp_path: Path) -> None:
    documents = [sample("snippets/pass/engine.prompt"), sample("snippets/pass/engine.completion")]
    run_batch(write_lines(tmp_path / "raw.ndjson", documents), tmp_path / "out")
    before = os.umask(0)
    try:
        for name in ("code.jsonl", "code.parquet"):
            target = tmp_path / name
            target.touch(0o666)
            target.chmod(0o666)
            snippets.main(
                [
                    f"--datasets={tmp_path}/out",
                    f"--private_key={PRIVATE}/prompts.json",
                    f"--to={target}",
                    "--purpose=a test",
                ]
            )
            assert mode(target) == 0o600
        storage.write_atomic(str(tmp_path / "plain"), b"data")
        assert mode(tmp_path / "plain") == 0o666  # as the umask says
    finally:
        os.umask(before)


def test_what_fails_leaves_no_hidden_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageUnavailable):
        storage.write_atomic(str(tmp_path / "taken"), b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
    storage.write_atomic(str(tmp_path / ("n" * 250)), b"a name as long as names may be")


LOCATIONS = [
    "kafka://user:hunter2@host:9092/topic",
    "kafka://user:hun/ter2@host:9092/topic",
    "kafka://user:p@hunter2@host:9092/topic",
    "kafka://hunter2@host/topic",
    "s3://AKIA:hunter2@bucket/key",
    "https://u:hunter2@proxy.example/x?y",
    "https://blob.example/c/raw.ndjson?sv=2024-01-01&sig=hunter2",
    "gs://bucket/x?X-Goog-Signature=hunter2&a=b#token=hunter2",
    "abfs://c@account/x?sas=hunter2",
    "container/raw.ndjson?sig=hunter2",
    "https://host/x#access_token=hunter2",
]


@pytest.mark.parametrize("location", LOCATIONS)
def test_no_error_holds_a_password_of_a_url(location: str) -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, PipelineError):
            told = str(kind(f"--input {location}: nothing '{location}' there"))
            assert "hunter2" not in told
            assert "***" in told
            assert told.endswith(" there")
    flags = [f"--input={location}", "--output=o", f"--key_ring={PRIVATE.parent}"]
    command = [sys.executable, "-m", "pipelines.batch", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    is_away = "Name or service not known" in done.stderr or "Temporary failure in name" in done.stderr
    assert done.returncode == (75 if is_away else 1), (
        done.stderr
    )  # where there is no network, a store may be back later
    assert "***" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("location", ["gs://b/2026-0?.ndjson", "kafka://a:9092,b:9092/t", "s3://b/d?/day=2026-01-01/f",
                                      "/data/x?y.ndjson", "s3://bucket/key@version", "key@host", "a=b"])  # fmt: skip
def test_locations_without_secrets_are_shown_whole(location: str) -> None:
    assert without_secrets(f"--input {location}: not there") == f"--input {location}: not there"


def test_errors_of_storage_hold_no_password(tmp_path: Path) -> None:
    for path in ("nosuch://u:hunter2@h/x", f"file://{tmp_path}/none?sig=hunter2", f"{tmp_path}/none?sig=hunter2"):
        for call in (storage.read_bytes, storage.open_read, lambda p: storage.expand_inputs([p])):
            with pytest.raises(StorageUnavailable) as found:
                call(path)
            assert "hunter2" not in str(found.value)
            assert "***" in str(found.value)


def test_logs_of_clients_hold_no_password() -> None:
    code = ("import logging\nfrom pipelines.running.command import run_job\n"
            "run_job(lambda _: logging.getLogger('urllib3').warning('Retrying %s', 'https://h/b/k?sig=hunter2'))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "WARNING Retrying https://h/b/k?***\n"


def test_a_login_in_a_kafka_address_is_refused() -> None:
    with pytest.raises(InvalidOptions, match="who logs in stands in --kafka_config") as found:
        kafka_parts("kafka://user:hunter2@host:9092/topic")
    assert "hunter2" not in str(found.value)


@pytest.mark.parametrize(
    "config",
    [
        {"security.protocol": "hunter2"},
        {"hunter2": "sasl.password"},
        {"sasl.password": {"hunter2": 1}},
        {"ssl.ca.location": "/nowhere/hunter2", "security.protocol": "ssl"},
    ],
)
def test_no_setting_of_a_kafka_configuration_is_in_an_error(tmp_path: Path, config: dict[str, Any]) -> None:
    path = tmp_path / "kafka.json"
    path.write_text(json.dumps(config))
    with pytest.raises(InvalidOptions) as found:
        TopicAdmin("127.0.0.1:9", "t", load_config(str(path)))
    assert "hunter2" not in str(found.value)
    path.write_text('{"sasl.password": "hunter2"')
    with pytest.raises(InvalidOptions, match="allowed is a JSON object") as found:
        load_config(str(path))
    assert "hunter2" not in str(found.value)
    path.chmod(0o666)
    with pytest.raises(KeyUnavailable, match=r"Kafka configuration .* may be written by others"):
        load_config(str(path))
