"""A process that finds no /proc and no prctl, as on macOS, whatever machine the tests run on.

On Linux, /proc is an empty folder in a mount namespace of its own, for native
code too. psutil reads it there where the test has put it; on macOS psutil asks
the system. `prctl` is refused to whoever looks it up.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

_HIDE = 'mount --make-rprivate / && mount --rbind /proc "$0" && mount -t tmpfs none /proc && exec "$@"'
_SITE = """
import os, sys
import psutil
if os.path.isdir("/proc"):
    psutil.PROCFS_PATH = {proc!r}

def refuse(event, arguments):
    if event == "ctypes.dlsym" and arguments[1] == "prctl":
        raise AttributeError("prctl is hidden")

sys.addaudithook(refuse)
"""


class Hidden(NamedTuple):
    """How to run a command so: what stands before it, and its environment."""

    through: list[str]
    env: dict[str, str]


def without_proc(folder: Path) -> Hidden:
    """The test is left out where Linux lets this user make no mount namespace."""
    (folder / "proc").mkdir(parents=True)
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(_SITE.format(proc=str(folder / "proc")))
    env = {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))}
    if not os.path.isdir("/proc"):
        return Hidden([], env)
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-current-user", "--mount"]
    through = [*namespace, "sh", "-c", _HIDE, str(folder / "proc")]
    if shutil.which("unshare") is None or subprocess.run([*through, "true"], check=False).returncode:
        pytest.skip("a folder /proc of its own takes a mount namespace, which this user may not make")
    looked = "import os, ctypes; print(os.listdir('/proc'), hasattr(ctypes.CDLL(None), 'prctl'))"
    found = subprocess.run([*through, sys.executable, "-c", looked], env={**os.environ, **env}, capture_output=True,
                           text=True, check=True)  # fmt: skip
    assert found.stdout == "[] False\n"
    return Hidden(through, env)
