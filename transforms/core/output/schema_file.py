"""What the columns mean, once beside an output: `_schemas/<digest of the contract>.json`.

The footer of each file and each row of the ledger name the contract that they were written under.
"""

import json
from collections.abc import Iterable, Iterator

from schemas.dictionary import columns_document
from schemas.registry import contract_digest
from transforms.core import storage
from transforms.core.output.layout import SCHEMAS_FOLDER, Output
from transforms.core.output.ledger import Mark

_SUFFIX = ".json"


def write_schema_file(output: Output) -> None:
    """Writes that of this program's contract, where it is not there as it must be. Raises StorageUnavailable."""
    path, content = _path(output, contract_digest()), _content()
    if not storage.exists(path) or storage.read_bytes(path) != content:
        output.write(path, content)


def schema_path() -> str:
    """Where that of this program's contract lies in an output."""
    return f"{SCHEMAS_FOLDER}/{contract_digest()}{_SUFFIX}"


def schema_problems(output: Output, marks: Iterable[Mark]) -> Iterator[str]:
    """One line for each schema file that is damaged or missing; what older versions wrote has it in its footers."""
    for digest in sorted({mark.row["contract"] for mark in marks if mark.name.buckets is not None}):
        path = _path(output, digest)
        if not storage.exists(path):
            yield f"{path}: missing, though rows were written under that contract"
        elif not _is_whole(storage.read_bytes(path), digest):
            yield f"{path}: damaged; a copy from another output of the same contract does"


def names_column(output: Output, digest: str, column: str) -> bool:
    """Whether the contract of that digest has a column of that name, by its schema file; no where that is missing."""
    path = _path(output, digest)
    return storage.exists(path) and f'"{column}"'.encode() in storage.read_bytes(path)


def _is_whole(content: bytes, digest: str) -> bool:
    if digest == contract_digest():
        return content == _content()
    try:
        found = json.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("contract") == digest and bool(found.get("datasets"))


def _content() -> bytes:
    return f"{json.dumps(columns_document(), indent=1)}\n".encode()


def _path(output: Output, digest: str) -> str:
    return output.beside(SCHEMAS_FOLDER, f"{digest}{_SUFFIX}")
