"""Commands start at once: those that run no pipeline never import Beam, and keys needs neither Arrow nor DuckDB."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import KEY_RING, PRIVATE, run_batch, sample, write_lines

ROOT = Path(__file__).parents[2]
HEAVY = {
    "keys": {"pyarrow", "duckdb", "numpy", "fastavro", "msgspec"},
    "verify": {"duckdb", "vl_convert"},
    "sign": {"duckdb", "vl_convert"},
    "snippets": {"duckdb", "vl_convert"},
    "metrics": {"vl_convert"},
    "report": set(),
    "runs": {"duckdb", "vl_convert", "cryptography"},
    "generate": {"duckdb", "vl_convert", "cryptography"},
    "collect": {"duckdb", "vl_convert", "cryptography"},
    "check": {"duckdb", "vl_convert"},
}
REMOTE = {"gcsfs", "s3fs", "aiohttp", "grpc", "apache_beam"}
"""What no command needs for files of this machine. (pandas is imported by pyarrow, where it is installed, with the first
value that it takes from Python.)"""


def modules_after(tmp_path: Path, *command: str) -> tuple[set[str], str]:
    """What `python -m` of a command has imported at its end, and what it printed."""
    place = tmp_path / "sitecustomize.py"
    place.write_text(
        "import os, sys\n_exit = os._exit\n"
        "def told(code):\n"
        "    with open(os.environ['MODULES'], 'w') as out:\n"
        "        out.write(' '.join(name for name in sys.modules if '.' not in name))\n"
        "    sys.stdout.flush()\n    _exit(code)\n"
        "os._exit = told\n"  # how a command ends
        "import atexit\natexit.register(lambda: told(0))\n"  # and how --help does
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "MODULES": str(tmp_path / "modules"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.{command[0]}", *command[1:]],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {*(tmp_path / "modules").read_text().split()}, done.stdout


@pytest.mark.parametrize("command", sorted(HEAVY))
def test_help_imports_no_beam(command: str, tmp_path: Path) -> None:
    modules, told = modules_after(tmp_path, command, "--help")
    assert f"usage: python -m pipelines.{command}" in told
    assert "pipelines" in modules
    assert modules & (REMOTE | HEAVY[command] | {"pandas"}) == set()


def test_the_list_of_modules_is_the_processes_own(tmp_path: Path) -> None:
    """Else what is asked above would be true of anything."""
    modules, _ = modules_after(tmp_path, "batch", "--help")
    assert {"apache_beam", "pyarrow", "cryptography"} <= modules


def test_keys_are_made_and_listed_without_beam_and_arrow(tmp_path: Path) -> None:
    for command in (["create", f"--output={tmp_path}/ring", "--months=3"], ["list", f"--key_ring={tmp_path}/ring"],
                    ["rotate", f"--key_ring={tmp_path}/ring", "--through=2031-01"]):  # fmt: skip
        modules, told = modules_after(tmp_path, "keys", *command)
        assert told
        assert modules & (REMOTE | HEAVY["keys"]) == set()


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    documents = [sample("snippets/pass/engine.prompt"), sample("snippets/pass/engine.completion"), sample()]
    run_batch(write_lines(folder / "raw.ndjson", documents), folder / "out", f"--key_ring={KEY_RING}")
    return folder / "out"


def test_an_output_is_verified_and_read_without_beam(output: Path, tmp_path: Path) -> None:
    modules, told = modules_after(tmp_path, "verify", f"--datasets={output}")
    assert "3 landed" in told
    assert modules & (REMOTE | HEAVY["verify"]) == set()
    key = f"--private_key={PRIVATE}/prompts.json"
    modules, told = modules_after(tmp_path, "snippets", f"--datasets={output}", key, "--purpose=a test")
    assert [json.loads(line)["prompt_json"] is not None for line in told.splitlines()].count(True) == 1
    assert modules & (REMOTE | HEAVY["snippets"]) == set()


def test_events_are_checked_without_beam(tmp_path: Path) -> None:
    modules, told = modules_after(tmp_path, "check", str(write_lines(tmp_path / "raw.ndjson", [sample()])))
    assert "1 landed" in told
    assert modules & (REMOTE | HEAVY["check"]) == set()


def test_rates_and_page_are_made_without_beam(output: Path, tmp_path: Path) -> None:
    modules, _ = modules_after(tmp_path, "metrics", f"--datasets={output}")
    assert modules & (REMOTE | HEAVY["metrics"]) == set()
    modules, told = modules_after(tmp_path, "report", f"--datasets={output}", f"--to={tmp_path}/page.html")
    assert "page.html" in told
    assert modules & REMOTE == set()
