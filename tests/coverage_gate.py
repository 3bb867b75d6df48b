"""Holds what `make coverage` measured last against the gate of pyproject.toml.

python -m tests.coverage_gate
"""

import json
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURE = ROOT / ".coverage.json"
PACKAGES = ("pipelines", "transforms", "schemas")


def gate(figure: Path = FIGURE, root: Path = ROOT) -> tuple[int, str]:
    """Exit code and what to say.

    Without a figure there is nothing to hold against the gate, and a fresh clone must not wait 20 minutes for its
    first `make check`.
    """
    at_least = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["coverage"]["report"]["fail_under"]
    if not figure.exists():
        return 0, "coverage: not measured here yet; make coverage does (20 minutes)"
    percent = json.loads(figure.read_text())["totals"]["percent_covered"]
    if percent < at_least:
        return 1, f"coverage: {percent:.2f} % of lines and branches, at least {at_least} % are asked for"
    measured_at = figure.stat().st_mtime
    sources = (path for package in PACKAGES for path in (root / package).rglob("*.py"))
    newer = sum(path.stat().st_mtime > measured_at for path in sources)
    later = f"; {newer} files have changed since it was measured" if newer else ""
    return 0, f"coverage: {percent:.2f} %{later}"


if __name__ == "__main__":
    code, told = gate()
    print(told, file=sys.stderr if code else sys.stdout)
    sys.exit(code)
