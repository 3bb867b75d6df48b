"""Every job that opens a key ring or a key file opens a wrapped one, by the same flag."""

import importlib
import json
import os
import pkgutil
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import pipelines
from pipelines import keys
from schemas.errors import KeyUnavailable
from tests.conftest import sample, write_lines
from tests.support.wrapping import age_identity
from transforms.core.keys.wrapping_keys import VARIABLE

_DAY = "2026-03-29"
_SAMPLES = ("displays/pass/ghostText.shown", "snippets/pass/engine.prompt", "snippets/pass/engine.completion")
_PURPOSE = "--purpose=test"


@pytest.fixture(autouse=True)
def no_wrapping_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a flag puts into the environment goes with the test."""
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring of which every file is wrapped, and a signed output that was written with it."""
    folder = tmp_path_factory.mktemp("wrapped")
    identity, ring = age_identity(folder / "age.txt"), folder / "keys"
    keys.create(str(ring), "2026-03", 1, identity)
    stamp = json.dumps(sample()["collector"]).encode()
    write_lines(folder / "raw.ndjson", [*map(sample, _SAMPLES), b'{"collector": ' + stamp + b', "x'])
    who = sample()["data"]["baseData"]["properties"]["client_machineid"]
    (folder / "who.jsonl").write_text(json.dumps({"machine": who, "telemetry_level": "error"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, identity)
        _main("batch")([*_batch(folder), f"--output={folder}/out"])
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "wrapped"))


def _main(job: str) -> Callable[[list[str]], None]:
    found: Callable[[list[str]], None] = importlib.import_module(f"pipelines.{job}").main
    return found


def _batch(at: Path) -> list[str]:
    return [f"--input={at}/raw.ndjson", f"--key_ring={at}/keys", "--buckets=4", "--max_quarantined_share=100%"]


def _change(at: Path) -> list[str]:
    return [f"--datasets={at}/out", f"--key_ring={at}/keys", "--dry_run"]


def _of_people(at: Path) -> list[str]:
    roles = ("operators", "prompts", "completions")
    private = [f"--private_key={at}/keys/private/{role}.json" for role in roles]
    return [*_change(at), f"--people={at}/who.jsonl", *private]


def _replay(at: Path) -> list[str]:
    private = f"--private_key={at}/keys/private/operators.json"
    return [f"--output={at}/out", f"--key_ring={at}/keys", private, _PURPOSE, "--dry_run"]


def _export(at: Path) -> list[str]:
    operator = f"--operator_key={at}/keys/private/operators.json"
    return [*_change(at), f"--people={at}/who.jsonl", operator, f"--to={at}/export", _PURPOSE]


def _snippets(at: Path) -> list[str]:
    return [f"--datasets={at}/out", f"--private_key={at}/keys/private/prompts.json", f"--to={at}/code.jsonl", _PURPOSE]


def _sign(at: Path) -> list[str]:
    """Of an output without its chain, as one that an older version began."""
    shutil.rmtree(at / "out" / "runs", ignore_errors=True)
    return [f"--datasets={at}/out", f"--key_ring={at}/keys"]


_JOBS: dict[str, Callable[[Path], list[str]]] = {
    "batch": lambda at: [*_batch(at), f"--output={at}/more"],
    "compact": _change,
    "erase": _of_people,
    "expire": lambda at: [*_change(at), f"--as_of={_DAY}"],
    "export": _export,
    "keys": lambda at: ["list", f"--key_ring={at}/keys"],
    "metrics": lambda at: [f"--datasets={at}/out", f"--key_ring={at}/keys"],
    "replay": _replay,
    "sign": _sign,
    "snippets": _snippets,
    "withdraw": _of_people,
}
_ENDLESS = "streaming"
"""Its test is tests/streams/test_stream_keys.py."""


@pytest.mark.parametrize("job", _JOBS)
def test_each_job_opens_it_by_the_flag_and_says_what_is_missing_without(job: str, folder: Path) -> None:
    with pytest.raises(KeyUnavailable, match="this key file is wrapped: --wrapping_key, or the environment variable"):
        _main(job)(_JOBS[job](folder))
    _main(job)([*_JOBS[job](folder), f"--wrapping_key={folder}/age.txt"])
    assert os.environ[VARIABLE] == f"{folder}/age.txt", "workers have it from their parent"


@pytest.mark.parametrize("job", ["compact", "erase", "expire", "withdraw"])
def test_the_real_run_signs_with_it(job: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*_JOBS[job](folder), f"--wrapping_key={folder}/age.txt"]
    _main(job)(flags)
    checksum = capsys.readouterr().out.split()[-1]
    _main(job)([flag for flag in flags if flag != "--dry_run"] + [f"--checksum={checksum}"])
    _main("verify")([f"--datasets={folder}/out", "--max_unjoined=100%"])


def _helps() -> dict[str, str]:
    """What `--help` of each job says, of a job with commands each of them."""
    from contextlib import redirect_stdout
    from io import StringIO

    found = {}
    for job in (module.name for module in pkgutil.iter_modules(pipelines.__path__) if not module.ispkg):
        main = getattr(importlib.import_module(f"pipelines.{job}"), "main", None)
        if main is None:
            continue  # the page of steps
        commands = [["wrap"], ["forget"], ["list"], ["destroy"]] if job == "keys" else [[]]
        for command in commands:
            with redirect_stdout(StringIO()) as printed, pytest.raises(SystemExit):
                main([*command, "--help"])
            found[" ".join([job, *command])] = printed.getvalue()
    return found


def test_no_job_has_a_flag_for_keys_and_none_for_what_opens_them() -> None:
    of_keys = {
        job: told
        for job, told in _helps().items()
        if any(flag in told for flag in ("--key_ring", "--private_key", "--operator_key"))
    }
    assert {job.partition(" ")[0] for job in of_keys} == {*_JOBS, _ENDLESS}, "a job with keys has a test here"
    assert [job for job, told in of_keys.items() if "--wrapping_key" not in told] == []
