"""The flag of extensions' own contracts, `--telemetry_manifest`."""

import json
from collections.abc import Sequence
from typing import Any

from pipelines.options.flag_files import read_flag_file
from schemas.errors import InvalidOptions
from schemas.manifest_documents import manifests_of
from schemas.manifests import Manifests
from transforms.core import storage
from transforms.core.output.layout import MANIFESTS_FOLDER, Output

_MOST_BYTES = 32 * 1024 * 1024
"""What `code --telemetry` prints of the editor itself is 2 MB."""


def add_manifest_flag(add: Any) -> None:
    """Adds it by an argparse parser's `add_argument`."""
    add("--telemetry_manifest", action="append", default=[], metavar="FILE",
        help="Contract of an extension: its telemetry.json, or what `code --telemetry` prints; a file, or a gs:// or "
        "s3:// URL; repeatable. Its events land in extension_events; see docs/own-events.md.")  # fmt: skip


def read_manifests(paths: Sequence[str]) -> Manifests:
    """What the files declare together.

    Raises StorageUnavailable where one cannot be read, InvalidOptions where it is not there, is no JSON, or holds what
    `schemas.manifest_documents.manifests_of` refuses.
    """
    return manifests_of({f"--telemetry_manifest {path}": _document(path) for path in paths})


def _document(path: str) -> Any:
    data = read_flag_file("--telemetry_manifest", path, _MOST_BYTES)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidOptions(f"--telemetry_manifest {path}: not JSON") from None


def keep_manifests(output: Output, manifests: Manifests) -> None:
    """Writes what was declared beside the datasets, so that rows can be understood; raises StorageUnavailable."""
    path = output.beside(manifest_path(manifests))
    if manifests and (not storage.exists(path) or storage.read_bytes(path) != manifests.document):
        output.write(path, manifests.document)


def manifest_path(manifests: Manifests) -> str:
    """Where it lies in an output."""
    return f"{MANIFESTS_FOLDER}/{manifests.digest}.json"
