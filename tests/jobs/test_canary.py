"""The proof: marked secrets in every personal field, and every byte the job leaves searched for them."""

import base64
import gzip
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq
import pytest

from pipelines import audit, compact, export, replay
from schemas.errors import InternalError
from schemas.manifests import TREATMENTS
from schemas.registry import event_schemas, raw_schemas
from tests.conftest import KEY_RING, PRIVATE, plain_columns, read_rows, run_batch, sample, write_lines
from transforms.core.output.layout import RUNS, Output
from transforms.core.protecting import properties, protect
from transforms.core.quarantine import unprocessable

SECRETS = {
    "address": "81.2.69.177",
    "address6": "2001:4860:4860::c0de",
    "forwarded": "198.51.100.77",
    "machine": "ca11ab1e" * 8,
    "session": "5e55104e-cafe-4000-8000-c0ffee0000001774779232000",
    "user": "0ddba11cafef00d0ddba11cafef00d00",
    "event": "e7e47000-cafe-4000-8000-c0ffee000001",
    "request": "4e90e570-cafe-4000-8000-c0ffee000002",
    "opportunity": "icr-09904700-cafe-4000-8000-c0ffee000003",
    "completion": "c0391e70-cafe-4000-8000-c0ffee000004",
    "code": "canary_function_in_code",
    "path": "canaryhome",
    "email": "canary.mail@example.com",
    "token": "ghp_canarytokencanarytokencanarytoken1234",
    "undeclared": "canary-undeclared-value",
    "flight": "canary-flight-of-nobody",
}
CODE_FIELDS = [f.sources[0].partition(".")[2] for f in event_schemas()["snippets"].fields if f.role]
IDS = {
    "unique_id": "event", "headerRequestId": "request", "opportunityId": "opportunity", "clientCompletionId": "completion",
    "client_machineid": "machine", "common_vscodemachineid": "machine", "common.vscodemachineid": "machine",
    "client_sessionid": "session", "common.vscodesessionid": "session", "sessionID": "session",
    "ai.session.id": "session", "copilot_trackingId": "user", "ai.user.id": "user",
}  # fmt: skip


def forms(secret: str) -> Iterator[bytes]:
    """Clear, hex, base64 at each of its three offsets, URL-encoded; upper and lower case of hex."""
    data = secret.encode()
    yield data
    yield data.hex().encode()
    yield data.hex().upper().encode()
    yield urllib.parse.quote(secret, safe="").encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + data)
        yield encoded[4 if offset else 0 :].rstrip(b"=")[:-2]
    if len(secret) % 2 == 0 and all(c in "0123456789abcdef" for c in secret):
        yield bytes.fromhex(secret)


NEEDLES = {form: name for name, secret in SECRETS.items() for form in forms(secret) if len(form) >= 8}


def leaks(data: bytes) -> set[str]:
    return {name for form, name in NEEDLES.items() if form in data}


def with_secrets(name: str) -> dict[str, Any]:
    document = sample(name)
    base = document["data"]["baseData"]
    base["properties"] |= {key: SECRETS[secret] for key, secret in IDS.items()}
    base["properties"] |= {field: json.dumps({"prefix": f"def {SECRETS['code']}(): pass"}) for field in CODE_FIELDS}
    base["properties"]["undeclared"] = SECRETS["undeclared"]
    listed = f"named-flight:1;{SECRETS['flight']}:2"  # the operator named the first one alone
    base["properties"] |= {
        "abexp.assignmentcontext": listed,
        "VSCode.ABExp.Features": f"named-flight;{SECRETS['flight']}",
    }
    trouble = f"at /home/{SECRETS['path']}/work/app.py: {SECRETS['email']} {SECRETS['token']} from {SECRETS['address']}"
    for key in ("reason", "message", "stack"):
        if "error" in name or "exception" in name.lower() or key in base["properties"]:
            base["properties"][key] = trouble
    for exception in base.get("exceptions", ()):
        exception |= {"message": trouble, "stack": trouble}
    document["tags"] |= {"ai.user.id": SECRETS["user"], "ai.session.id": SECRETS["session"]}
    document["tags"] |= {"ai.cloud.roleInstance": SECRETS["undeclared"], "ai.location.ip": SECRETS["address"]}
    address = f"{SECRETS['forwarded']}, {SECRETS['address']}" if "displays" in name else SECRETS["address6"]
    document["collector"]["client_ip"] = address
    return document


CLASSIFIED = {
    "SystemMetaData": "path", "PublicNonPersonalData": "email", "CallstackOrException": "token",
    "EndUserPseudonymizedInformation": "user", "OrganizationIdentifiableInformation": "machine",
    "CustomerContent": "code", "PublicPersonalData": "undeclared", "EndUserIdentifiableInformation": "undeclared",
}  # fmt: skip
"""Classification of a declared property -> what it holds."""


def manifest_in(folder: Path) -> str:
    """The flag of a manifest of an event that has a property of each classification, and others."""
    assert {*CLASSIFIED} == {*TREATMENTS}
    declared = {f"p{number}": {"classification": name} for number, name in enumerate(CLASSIFIED)}
    wildcard = {"${prefix}": "timer.", "${classification}": {"classification": "SystemMetaData"}}
    path = folder / "telemetry.json"
    path.write_text(json.dumps({"events": {"canary.done": {**declared, "${wildcard}": [wildcard]}}}))
    return f"--telemetry_manifest={path}"


def declared_events() -> list[dict[str, Any]]:
    """Events of the manifest: whole, with secrets in names, split, and broken."""
    trouble = f"at /home/{SECRETS['path']}/app.py: {SECRETS['email']} {SECRETS['token']} from {SECRETS['address']}"
    found = []
    for number in range(4):
        document = with_secrets("displays/pass/ghostText.shown")
        base = document["data"]["baseData"]
        base["name"] = ("canary.done", f"acme.{SECRETS['undeclared']}/canary.done")[number % 2]
        held = [trouble if number > 1 else f"/home/{SECRETS['path']} {SECRETS['email']}", trouble, trouble]
        values = [*held, *(SECRETS[name] for name in [*CLASSIFIED.values()][3:])]
        base["properties"] |= {f"p{place}": value for place, value in enumerate(values)}
        base["properties"] |= {f"timer.{secret}": "x" for secret in SECRETS.values()}
        base["properties"] |= {
            "unique_id": f"{SECRETS['event'][:-1]}{number}",
            "p2_02": trouble,
            "p5_02": SECRETS["code"],
        }
        base["measurements"] = {"p3": 5, SECRETS["undeclared"]: 7, **({"p0": trouble} if number == 3 else {})}
        found.append(document)
    return found


def wounded_lines() -> list[bytes]:
    """Secrets in what cannot be read as it stands: cut, of a wrong type, with broken characters, with odd stamps."""
    found = []
    for name in ("displays/pass/ghostText.shown", "snippets/pass/engine.prompt", "errors/pass/unhandlederror"):
        document = with_secrets(name)
        stamp, base = document.pop("collector"), document["data"]["baseData"]
        line, secret = json.dumps(document).encode(), SECRETS["email"]
        first = b'{"collector": ' + json.dumps(stamp).encode() + b", " + line[1:]
        found += [
            first[:-60],
            first.replace(b'"ver": 1', b'"ver": NaN'),
            first.replace(b'"data"', b'"\\ud83d":"\xed\xa0\xbd","data"'),
        ]
        found += [
            first.replace(b'"python"', value)
            for value in (b"true", b'["' + secret.encode() + b'"]', b'"\\ud83d"', b'"\xe9"')
        ]
        for member in ("received_at", "client_ip", "telemetry_level", "snippet_consent"):
            found += [
                json.dumps({**document, "collector": {**stamp, member: odd}}).encode() for odd in ([secret], secret, 7)
            ]
        for odd in (secret, [secret], {secret: secret}):
            for group in ("measurements", "exceptions", "severityLevel", "name"):
                wrong = {**document, "data": {"baseData": {**base, group: odd}}, "collector": stamp}
                found.append(json.dumps(wrong).encode())
            found.append(
                json.dumps({**document, "tags": odd, "time": odd, "sampleRate": odd, "collector": stamp}).encode()
            )
        found.append(json.dumps({**document, "collector": {**stamp, "received_at": "2070-01-01T00:00:00Z"}}).encode())
    return found


def raw_files(folder: Path) -> list[str]:
    """Every kind of event, the fates of hostile ones too, as NDJSON and as an Avro container."""
    names = [f"{p.parts[-3]}/{p.parts[-2]}/{p.stem}" for p in Path(__file__).parents[1].glob("data/samples/*/*/*.json")]
    documents = [with_secrets(name) for name in sorted(names) if "no_stamp" not in name]
    hostile = [
        json.dumps(with_secrets("displays/pass/ghostText.shown")).encode()[:-30],
        b"\xff" + SECRETS["code"].encode(),
        *wounded_lines(),
    ]
    unknown = with_secrets("displays/pass/ghostText.shown")
    unknown["data"]["baseData"]["name"] = f"copilot/{SECRETS['email']}"
    off = with_secrets("displays/pass/ghostText.shown")
    off["collector"]["telemetry_level"] = "off"
    documents += declared_events()
    write_lines(folder / "raw.ndjson", [*documents, *hostile, unknown, off])
    stamp = {
        "received_at": datetime(2026, 3, 30, tzinfo=UTC),
        "client_ip": SECRETS["address"],
        "telemetry_level": "all",
    }
    stamp |= {"snippet_consent": True, "content_type": None, "content_encoding": None}
    bodies = [json.dumps(d).encode() for d in documents] + hostile
    bodies += [b"[" + b",".join(hostile) + b"]", gzip.compress(b"\n".join(hostile)), gzip.compress(hostile[0])[:-20]]
    out = io.BytesIO()
    fastavro.writer(out, raw_schemas()["raw_request.1"], [{**stamp, "body": b} for b in bodies])
    (folder / "raw.avro").write_bytes(out.getvalue())
    return [str(folder / "raw.ndjson"), str(folder / "raw.avro")]


def everything_in(folder: Path) -> list[Path]:
    """Files and folders, while others may be removing some of them."""
    return [Path(where) / name for where, folders, files in os.walk(folder) for name in (*folders, *files)]


def bytes_of(path: Path) -> bytes | None:
    """What a file holds; None of a folder, or of what was removed meanwhile."""
    try:
        return path.read_bytes()
    except (IsADirectoryError, FileNotFoundError):
        return None


def assert_clean(folder: Path) -> int:
    """Searches every file's bytes and name, and every Parquet file's decoded plain columns."""
    searched = 0
    for path in everything_in(folder):
        assert not leaks(str(path.relative_to(folder)).encode()), path
        if (data := bytes_of(path)) is None:
            continue
        searched += 1
        assert not leaks(data), path
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            assert not leaks(repr(file.metadata.metadata).encode())
            for row in file.read(columns=plain_columns(path)).to_pylist():
                text = {k: v.hex() if isinstance(v, bytes) else v for k, v in row.items()}
                assert not leaks(repr(text).encode()), path
    return searched


@pytest.mark.parametrize(
    "mode",
    [
        [],
        ["--direct_num_workers=2"],
        ["--direct_num_workers=2", "--direct_running_mode=multi_threading", "--log_format=json"],
    ],
)
def test_no_secret_in_outputs_logs_or_temporary_files(tmp_path: Path, mode: list[str]) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "tmp").mkdir()
    files = raw_files(tmp_path / "raw")
    assert leaks(Path(files[0]).read_bytes()) == set(SECRETS), "a secret is missing from the input"
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "pipelines.batch", f"--output={tmp_path}/out"]
    (tmp_path / "known.toml").write_text('flights = ["named-flight"]\n')
    command += [
        f"--key_ring={KEY_RING}",
        f"--known_values={tmp_path}/known.toml",
        "--buckets=2",
        "--close_open_suggestions",
        "--max_quarantined_share=100%",
        f"--metrics_file={tmp_path}/out.prom",
        f"--openlineage={tmp_path}/tmp/lineage.jsonl",
        *(f"--input={f}" for f in files),
        manifest_in(tmp_path),
        *mode,
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    for _ in range(2):  # the second time as a rerun
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        assert not leaks(done.stdout + done.stderr)
    exact, noised = "metrics --privacy_epsilon=none", "metrics --privacy_epsilon=20 --date=2026-03-29 --revise"
    for job in (exact, f"report --to={tmp_path}/out/report.html", noised):
        of_one = [f"--datasets={tmp_path}/out", "--min_installations=1"]  # figures of single people are let out, too
        command = [sys.executable, "-W", "ignore", "-m", f"pipelines.{job.split()[0]}", *job.split()[1:], *of_one]
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        assert not leaks(done.stdout + done.stderr)
    assert list((tmp_path / "out" / "acceptance").rglob("*.parquet"))
    assert (tmp_path / "out" / "_published" / "acceptance.json").is_file()
    assert assert_clean(tmp_path / "out") >= 22
    assert {r["flights"] for r in read_rows(tmp_path / "out", "displays")} == {"named-flight"}
    assert len(list((tmp_path / "out" / RUNS).glob("*.json"))) == 2
    assert list((tmp_path / "out" / RUNS).rglob("*.jsonl"))
    assert not leaks((tmp_path / "out.prom").read_bytes())
    assert (tmp_path / "tmp" / "lineage.jsonl").read_text().count("COMPLETE") == 2
    assert list((tmp_path / "out" / "suggestions").rglob("*.parquet"))
    assert_clean(tmp_path / "tmp")
    declared = [row for row in read_rows(tmp_path / "out", "extension_events") if row["event_name"] == "canary.done"]
    assert declared
    assert {name for row in declared for name, _ in row["properties"]} == {"p0", "p1", "p2", "p3", "p4", "timer.*"}
    expire_with_a_receipt(tmp_path / "out", environment)
    erase_with_a_receipt(tmp_path / "out", environment)


def expire_with_a_receipt(output: Path, environment: dict[str, str]) -> None:
    """What a dry run and an expiry print and write down tells nothing of a row."""
    command = [sys.executable, "-m", "pipelines.expire", f"--datasets={output}", "--as_of=2026-08-01"]
    dry = subprocess.run([*command, "--dry_run"], capture_output=True, check=True, env=environment)
    checksum = dry.stdout.split()[-1].decode()
    command.append(f"--key_ring={KEY_RING}")
    done = subprocess.run([*command, f"--checksum={checksum}"], capture_output=True, check=True, env=environment)
    assert not leaks(dry.stdout + dry.stderr + done.stdout + done.stderr)
    assert len(list((output / "_expired").iterdir())) == 2
    assert_clean(output)


def test_no_secret_in_what_a_compaction_prints_and_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    later, other = sample(), with_secrets("displays/pass/ghostText.shown")
    later["collector"]["received_at"] = "2026-04-20T10:00:00Z"
    other["data"]["baseData"]["properties"]["unique_id"] = "8f1d7a52-0000-4000-8000-000000000777"
    for name, documents in (("first", [with_secrets("displays/pass/ghostText.shown")]), ("second", [other, later])):
        run_batch(write_lines(tmp_path / f"{name}.ndjson", documents), tmp_path / "out")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "out"))
    capsys.readouterr()
    compact.main([f"--datasets={tmp_path}/out", "--dry_run"])
    printed = capsys.readouterr().out
    compact.main([f"--datasets={tmp_path}/out", f"--key_ring={KEY_RING}", f"--checksum={printed.split()[-1]}"])
    assert not leaks((printed + "".join(capsys.readouterr())).encode())
    assert list((tmp_path / "out" / "_compacted").glob("receipts/*.json"))
    assert list((tmp_path / "out" / "displays").glob("*/compacted-*.parquet"))
    assert_clean(tmp_path / "out")


def erase_with_a_receipt(output: Path, environment: dict[str, str]) -> None:
    """What is printed and written down of an erasure tells nothing of the people whose ids it is given."""
    person = json.dumps({"machine": SECRETS["machine"], "tracking": SECRETS["user"], "session": SECRETS["session"]})
    roles = [f"--private_key={PRIVATE / role}.json" for role in ("operators", "prompts", "completions")]
    command = [sys.executable, "-W", "ignore", "-m", "pipelines.erase", f"--datasets={output}"]
    command += [f"--key_ring={KEY_RING}", "--people=-", *roles]

    def run(*more: str) -> bytes:
        done = subprocess.run(
            [*command, *more], input=person.encode(), capture_output=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert not leaks(done.stdout + done.stderr)
        return done.stdout

    told = run("--dry_run")
    assert b" rows in " in told
    assert b"erased; receipt: " in run(f"--checksum={told.split()[-1].decode()}")
    assert b"nothing of theirs was found" in run("--dry_run")
    assert len(list((output / "_erased").iterdir())) == 2
    assert_clean(output)


def test_no_secret_where_pieces_wait_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a killed run leaves them, or one that may not remove them."""
    (tmp_path / "raw").mkdir()
    files = raw_files(tmp_path / "raw")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    for flags in ((), (f"--spill_folder={tmp_path}/spill",)):
        run_batch(files, tmp_path / "out", manifest_in(tmp_path), *flags)
    left = [p for p in tmp_path.rglob("*_spill/*") if p.is_file()]
    assert {p.parent.parent.name for p in left} == {"out", "spill"}
    assert all(p.stat().st_size > 1000 for p in left)
    assert_clean(tmp_path / "out")
    assert_clean(tmp_path / "spill")


@pytest.mark.parametrize("mode", [[], ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]])
def test_no_secret_in_the_error_and_log_of_a_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def broken(values: Any, *_: Any, **__: Any) -> Any:
        raise ValueError(f"cannot scrub {values.to_pylist()}")  # as pyarrow does, the data in the message

    monkeypatch.setattr(protect, "scrub_column", broken)
    monkeypatch.setattr(properties, "scrub_column", broken)
    (tmp_path / "raw").mkdir()
    files = raw_files(tmp_path / "raw")
    with caplog.at_level(logging.DEBUG):
        books = run_batch(files, tmp_path / "out", manifest_in(tmp_path), *mode)  # what the bug does not touch lands
    assert books.quarantined["unprocessable"] > 20
    assert "ValueError at protect.py" in caplog.text
    monkeypatch.setattr(unprocessable, "MOST_UNPROCESSABLE", 0)
    with caplog.at_level(logging.DEBUG), pytest.raises(InternalError) as stopped:
        run_batch(files, tmp_path / "stopped", manifest_in(tmp_path), *mode)
    assert "ValueError at protect.py" in str(stopped.value)
    shown = capfd.readouterr()
    assert not leaks((str(stopped.value) + caplog.text + shown.out + shown.err).encode())
    assert_clean(tmp_path / "out")
    assert_clean(tmp_path / "stopped")


def test_no_secret_where_payloads_were_replayed_and_a_person_was_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Bodies are opened and clear values handed out: they lie in the folder of the export, and nowhere else."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("a bug that is mended later")

    (tmp_path / "raw").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    files = raw_files(tmp_path / "raw")
    with monkeypatch.context() as patched:
        patched.setattr(protect, "scrub_column", broken)
        run_batch(files, tmp_path / "out", manifest_in(tmp_path))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # what is removed at the end is looked at, too
    ring = [f"--key_ring={KEY_RING}", "--purpose=a search for secrets"]
    of_replay = [f"--output={tmp_path}/out", f"--private_key={PRIVATE}/operators.json", manifest_in(tmp_path), *ring]
    (tmp_path / "raw" / "people").write_text(json.dumps({"machine": SECRETS["machine"], "tracking": SECRETS["user"]}))
    of_export = [f"--datasets={tmp_path}/out", f"--operator_key={PRIVATE}/operators.json", *ring]
    of_export += [f"--people={tmp_path}/raw/people", f"--to={tmp_path}/export"]
    of_export += [f"--private_key={PRIVATE}/{role}.json" for role in ("prompts", "completions")]
    shown = ""
    with caplog.at_level(logging.DEBUG):
        for job, flags in ((replay, of_replay), (export, of_export)):
            job.main([*flags, "--dry_run"])
            printed = capfd.readouterr()
            shown += printed.out + printed.err
            job.main([*flags, f"--checksum={printed.out.split()[-1]}"])
            audit.main([f"--datasets={tmp_path}/out"])
    printed = capfd.readouterr()
    assert not leaks((shown + printed.out + printed.err + caplog.text).encode())
    assert list((tmp_path / "out" / "_replayed").iterdir())
    assert len(list((tmp_path / "out" / "_audit").iterdir())) > 10
    assert list((tmp_path / "out").rglob("_spill/*")), "sealed pieces are searched, too"
    assert assert_clean(tmp_path / "out") >= 22
    assert_clean(tmp_path / "tmp")
    exported = b"".join(path.read_bytes() for path in (tmp_path / "export").glob("*.jsonl"))
    assert {"machine", "user", "address", "code"} <= leaks(exported), "the search itself"


def test_the_graph_of_the_pipeline_holds_no_key_and_no_payload(tmp_path: Path, ring: Any) -> None:
    from datetime import timedelta

    import apache_beam as beam

    from pipelines.ingest import Ingest, IngestSettings
    from pipelines.options.ingest_flags import default_geo_database
    from transforms.core.ranges import Range
    from transforms.steps.read_payloads import ReadPayloads

    pipeline = beam.Pipeline()
    settings = IngestSettings(
        key_ring=KEY_RING,
        output=Output("out"),
        slots=16,
        buckets=4,
        geo_database=default_geo_database(),
        city_min_population=0,
        lookback=timedelta(1),
        suggestion_horizon=timedelta(1),
        input_digest="0" * 16,
    )
    _ = pipeline | beam.Create([(Range(str(tmp_path)),)]) | ReadPayloads() | Ingest(settings)
    graph = pipeline.to_runner_api().SerializeToString()
    for secret in (ring.correlation, ring.transport, *ring.epochs.values()):
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
            assert form not in graph


def test_the_search_itself_finds_every_form() -> None:
    for name, secret in SECRETS.items():
        for text in (secret, secret.encode().hex(), urllib.parse.quote(secret, safe="")):
            assert name in leaks(f"x{text}y".encode())
        for offset in range(3):
            assert name in leaks(base64.b64encode(b"abc"[:offset] + secret.encode() + b"tail"))


def test_no_key_in_what_is_printed_or_handed_out_by_keys(tmp_path: Path) -> None:
    """Receipts, lists, wrapped files and every line: a key stands in bare key files and in nothing else."""
    from tests.support.wrapping import age_identity, keys_in_bytes
    from transforms.core.keys import keyring as rings
    from transforms.core.keys.private_keys import load_private

    ring, alice, identity = f"{tmp_path}/ring", f"{tmp_path}/alice.json", age_identity(tmp_path / "age.txt")
    told = b""

    def run(*flags: str) -> None:
        nonlocal told
        command = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "pipelines.keys", *flags]
        done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)})
        told += done.stdout + done.stderr

    month = ("--month=2026-04", "--confirm=2026-04")
    run("create", f"--output={ring}", "--start=2026-03", "--months=3")
    run(
        "add_reader",
        f"--key_ring={ring}",
        "--role=prompts",
        "--reader=alice",
        "--since=2026-03",
        f"--private_key={alice}",
    )
    held = [load_private(path) for path in (alice, *map(str, Path(ring, "private").glob("*.json")))]
    secrets = [
        *rings.load(ring).entries.items(),
        *((f"{k.holder}@{m}", key) for k in held for m, key in k.keys.items()),
    ]
    secrets += [(f"{k.holder} receipts", k.receipt_key) for k in held if k.receipt_key]
    secrets = [(place, key) for place, key in secrets if not place.startswith("public_keys.")]
    assert len(secrets) == 3 + 3 + 3 * 3 + 1 + 4
    run("destroy", f"--key_ring={ring}", *month)
    run("forget", f"--private_key={alice}", f"--receipt={tmp_path}/receipt.json", *month)
    run("destroy", f"--key_ring={ring}", f"--receipt={tmp_path}/receipt.json", *month)
    run("rotate", f"--key_ring={ring}", "--through=2026-06")
    run("merge", f"--private_key={alice}", f"--more={ring}/private/prompts.alice.json")
    run("remove_reader", f"--key_ring={ring}", "--role=prompts", "--reader=alice")
    run("list", f"--key_ring={ring}")
    files = [f"--private_key={path}" for path in (alice, *map(str, Path(ring, "private").glob("*.json")))]
    run("wrap", f"--key_ring={ring}", f"--with={identity}", *files)
    run("list", f"--key_ring={ring}")  # refused, as it is wrapped
    for word in (
        b"destroyed the keys",
        b"nothing was destroyed",
        b"has no key of",
        b"added",
        b"opens with",
        b"is wrapped",
    ):
        assert word in told
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert tmp_path / "receipt.json" in left
    assert len(left) == 1 + 1 + 1 + 1 + 3  # the identity, alice's file, the receipt, the ring, private/
    for data in (told, *(path.read_bytes() for path in left)):
        assert not keys_in_bytes(secrets, data)
