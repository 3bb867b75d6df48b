"""The real clients from the npm registry, in Node."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.brokers import TOOLS

HERE = Path(__file__).parents[1] / "clients"
INSTALLED = TOOLS / "clients"
"""Where `make tools` puts them."""

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or (shutil.which("npm") is None and not INSTALLED.exists()),
    reason="the real clients need Node and npm: apt-get install nodejs npm",
)


def modules(folder: Path) -> Path:
    """The folder with `node_modules`: what `make tools` installed, else installed now, from tests/clients/package.json."""
    if (INSTALLED / "node_modules").exists():
        return INSTALLED
    if not (folder / "node_modules").exists():
        folder.mkdir(exist_ok=True)
        shutil.copy(HERE / "package.json", folder)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def _node(script: str, modules_in: Path, hurry: int, *arguments: str, **more: str) -> str:
    environment = {**os.environ, "CLIENT_MODULES": str(modules_in), "CLIENT_HURRY": str(hurry), **more}
    command = ["node", str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


def on_answer(modules_in: Path, client: str, answer: dict[str, object]) -> dict[str, object]:
    """How often each of three events arrived whose request got this answer; see answers.js."""
    return json.loads(_node("answers.js", modules_in, 50, client, json.dumps(answer)))


def send_with(
    modules_in: Path, client: str, url: str, count: int, each_ms: int = 0, *more: str, **env: str
) -> list[str]:
    """Sends events with a client; returns their unique ids."""
    return json.loads(_node("send.js", modules_in, 20, client, url, str(count), str(each_ms), *more, **env))
