"""What a job is about to read: refused where it would read its own output or keys, told what is left alone."""

import os
import sys
from typing import Any

from schemas.errors import InvalidOptions
from schemas.registry import ACCEPTANCE
from transforms.core import storage
from transforms.core.output.layout import DATA_DATASETS, LEDGER

_NAMED = 3


def input_files(options: Any) -> list[storage.SourceFile]:
    """The batch job's files, sorted by path; says on stderr what stands beside them and is left alone.

    Raises InvalidOptions as `check_apart` does, StorageUnavailable where there is nothing to read.
    """
    check_apart(options.input, options.output.path, options.key_ring)
    files = storage.expand_inputs(options.input)
    for folder in sorted({os.path.dirname(file.path) for file in files}):
        _check_not_ours(folder, folder, options.output.path, options.key_ring)
    if files.left_alone:
        names = ", ".join(_shown(os.path.basename(path.rstrip("/"))) for path in files.left_alone[:_NAMED])
        more = ", …" if len(files.left_alone) > _NAMED else ""
        print(f"left alone: {len(files.left_alone)} side files ({names}{more})", file=sys.stderr)
    return files


def check_apart(inputs: list[str], output: str, key_ring: str) -> None:
    """Raises InvalidOptions where an input's folder holds the output or the key ring, or lies in one of them."""
    for given in inputs:
        folder = storage.whole_folder(given)
        if folder is None:
            continue
        for flag, path in (("output", output), ("key_ring", key_ring)):
            if storage.lies_in(path, folder):
                raise InvalidOptions(
                    f"--{flag} {path} lies in --input {given} and would be read as data; allowed is a folder beside it"
                )
        _check_not_ours(given, folder, output, key_ring)


def _check_not_ours(given: str, folder: str, output: str, key_ring: str) -> None:
    ours = [storage.join(output, dataset) for dataset in (*DATA_DATASETS, LEDGER, ACCEPTANCE)]
    for flag, path in (("output", output), ("key_ring", key_ring)):
        if any(storage.lies_in(folder, place) for place in (ours if flag == "output" else [path])):
            raise InvalidOptions(f"--input {given} lies in --{flag} {path}; allowed are raw records beside it")


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)
