"""What a job is about to read: refused where it would read its own output or keys, told what is left alone."""

import glob
import os
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

from schemas.errors import InvalidOptions, NothingToRead, StorageUnavailable
from schemas.registry import ACCEPTANCE
from transforms.core import storage
from transforms.core.output.layout import DATA_DATASETS, LEDGER, RUNS

RECEIVED_DATE = "{received_date}"
"""Stands in an input for the day that `--received_date` names."""

_NAMED = 3


def input_files(options: Any) -> list[storage.SourceFile]:
    """The batch job's files, sorted by path; says on stderr what stands beside them and is left alone.

    Raises InvalidOptions as `check_apart` does, where `--received_date` and the place for it in `--input` do not go
    together, and where an input is not there; NothingToRead where all of them are there and no file is in them. An
    input of a day may be empty where another one is not: that is told, and the run goes on.
    """
    filled = with_date(options.input, options.received_date)
    patterns = list(filled.values())
    check_apart(patterns, options.output.path, options.key_ring)
    files = named_files(filled)
    for folder in sorted({os.path.dirname(file.path) for file in files}):
        _check_not_ours(folder, folder, options.output.path, options.key_ring)
    return files


def named_files(filled: dict[str, str]) -> storage.InputFiles:
    """The files that inputs stand for, as `with_date` gives them, sorted by path; says what is left alone.

    Raises InvalidOptions and NothingToRead as `input_files` does.
    """
    files = _expanded(filled)
    if files.left_alone:
        names = ", ".join(_shown(os.path.basename(path.rstrip("/"))) for path in files.left_alone[:_NAMED])
        more = ", …" if len(files.left_alone) > _NAMED else ""
        print(f"left alone: {len(files.left_alone)} side files ({names}{more})", file=sys.stderr)
    return files


def with_date(inputs: Sequence[str], day: date | None) -> dict[str, str]:
    """Each input as it was given -> with the day in its place.

    Raises InvalidOptions where one of the two is given without the other.
    """
    dated = [given for given in inputs if RECEIVED_DATE in given]
    if day is None and dated:
        raise InvalidOptions(f"--input {dated[0]} goes with --received_date YYYY-MM-DD")
    if day is not None and not dated:
        raise InvalidOptions(
            f"--received_date {day} goes with an --input that has a place for it, as in gs://raw/{RECEIVED_DATE}/*.gz"
        )
    return {given: given.replace(RECEIVED_DATE, str(day)) for given in inputs}


def _expanded(filled: dict[str, str]) -> storage.InputFiles:
    try:
        files = storage.expand_inputs(list(filled.values()))
    except StorageUnavailable as found:
        is_missing = isinstance(found, NothingToRead) or isinstance(found.__cause__, FileNotFoundError)
        if is_missing and (strange := next((given for given in filled if not _has_place(given)), None)):
            raise InvalidOptions(f"--input {strange}: no such file or folder; allowed is one that is there") from None
        raise
    for given, pattern in filled.items():
        if why := files.without_files.get(pattern):
            if RECEIVED_DATE not in given or not _has_place(given):
                raise InvalidOptions(f"--input {pattern}: {why}; allowed is one that is there, as the other inputs are")
            print(f"--input {pattern}: {why}; the other inputs are read", file=sys.stderr)
    return files


def _has_place(given: str) -> bool:
    """Whether it is there as far as nothing is left open: a wrong name would have nothing to read each day."""
    fixed: list[str] = []
    for part in given.split("/"):
        if glob.has_magic(part) or RECEIVED_DATE in part:
            folder = "/".join([*fixed, ""]) or "."
            return folder.endswith("://") or storage.can_hold_files(folder)
        fixed.append(part)
    return storage.exists(given)


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
    ours = [storage.join(output, dataset) for dataset in (*DATA_DATASETS, LEDGER, ACCEPTANCE, RUNS)]
    for flag, path in (("output", output), ("key_ring", key_ring)):
        if any(storage.lies_in(folder, place) for place in (ours if flag == "output" else [path])):
            raise InvalidOptions(f"--input {given} lies in --{flag} {path}; allowed are raw records beside it")


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)
