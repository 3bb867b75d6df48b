"""The chain of manifests of an output: appended to by whoever holds the output's claim.

A run calls it when its files and ledger rows are as they must be. A run that is killed before leaves files that no
manifest names; the same run again names them. Nobody else does: what lies there and is told by no ledger row of the
run, window or change in question is never taken over.
"""

import importlib.metadata
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import KeyUnavailable, OutputInUse, StorageRefused
from schemas.registry import contract_digest
from transforms.core import storage
from transforms.core.chains.chain_files import last_number, path_of, put_key_beside, read_each
from transforms.core.chains.renewal import Descent
from transforms.core.chains.run_manifest import OtherKey, PutFile, RunManifest, Unsound, digest_of, signed
from transforms.core.chains.unsigned_files import UnsignedFiles
from transforms.core.keys.public_key import shown_key
from transforms.core.keys.signing import Signer
from transforms.core.output.claim import check_held
from transforms.core.output.layout import CLAIM_FILE, OUTPUT_FILE, PUBLIC_KEY_FILE, Output, chain_of

OUTPUT_CHAIN = chain_of(CLAIM_FILE)
BEGINNING = "beginning"
"""The kind of a first manifest that names files which were there before there was a chain."""

_DISTRIBUTION = "suggestion-telemetry"
_BACK_AT_ONCE = 64
_OUTPUT_ID_BYTES = 16


@dataclass(frozen=True)
class Told:
    """What a manifest says beside its files."""

    input: str = ""
    key_ids: Sequence[str] = ()
    geo_database_date: date | None = None
    books: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    streams: Mapping[str, int] = field(default_factory=dict)


NOTHING_MORE = Told()


class Chain:
    """A chain as its writer has it: reads the last manifest once, and appends. Only the claim's holder may have one.

    The last manifest must be signed with the signer's key, or with the one that is named: who continues a chain in
    place of a key that was retired names that. Raises StorageRefused where it is not, and KeyUnavailable where it is
    signed with a key that the signer's has replaced.
    """

    def __init__(self, output: Output, signer: Signer, name: str = OUTPUT_CHAIN, under: bytes | None = None) -> None:
        self._output = output
        self._signer = signer
        self._under = under or signer.public_key
        self.name = name
        self.number = last_number(output, name)
        self._head: RunManifest | None = None
        self.digest = ""
        if self.number:
            (data,) = read_each(output, [path_of(name, self.number)])
            self._head, self.digest = self._opened(Descent(name, self._under), self.number, data), digest_of(data)

    @property
    def head(self) -> RunManifest | None:
        """The last manifest; None where there is none yet."""
        return self._head

    @property
    def is_begun(self) -> bool:
        """Whether it has a manifest."""
        return self._head is not None

    def _opened(self, descent: Descent, number: int, data: bytes) -> RunManifest:
        path = self._output.beside(path_of(self.name, number))
        try:
            return descent.opened(number, data)
        except Unsound as found:
            if isinstance(found, OtherKey) and found.key in self._signer.retired:
                raise KeyUnavailable(
                    f"{self._output}: the key {shown_key(found.key)}, with which it is signed, was retired: python -m "
                    f"pipelines.sign --datasets {self._output} --key_ring DIR goes on with the new one"
                ) from None
            raise StorageRefused(
                f"{path}: {found}; nothing is added to a chain that does not hold: pipelines.verify tells more"
            ) from None

    def append(
        self, kind: str, put: Iterable[PutFile], removed: Iterable[str] = (), told: Told = NOTHING_MORE,
        output_id: str = "",
    ) -> str:  # fmt: skip
        """Writes the next manifest; returns its number and digest as `NUMBER:DIGEST`.

        What an output keeps is named by each manifest as the one before named it, whatever lies there: only
        `announce_kept` signs another one. Raises OutputInUse where another run wrote a manifest meanwhile, or took
        the output over.
        """
        check_held(self._output)
        head = self._head
        manifest = RunManifest(
            output=head.output if head else output_id or secrets.token_hex(_OUTPUT_ID_BYTES),
            chain=self.name,
            number=self.number + 1,
            before=self.digest,
            kind=kind,
            input=told.input,
            made_at=datetime.now(UTC),
            software=importlib.metadata.version(_DISTRIBUTION),
            contract=contract_digest(),
            key_ids=sorted(told.key_ids),
            geo_database_date=told.geo_database_date,
            books=dict(told.books),
            facts=dict(told.facts),
            streams={**(head.streams if head else {}), **told.streams},
            put=with_kept(head, put),
            removed=sorted({*removed}),
        )
        data = signed(manifest, self._signer)
        if not storage.create_whole(self._output.beside(path_of(self.name, manifest.number)), data):
            raise OutputInUse(f"{self._output}: manifest {manifest.number} was written by another run meanwhile")
        self._head, self.number, self.digest = manifest, manifest.number, digest_of(data)
        self._under = self._signer.public_key
        return str(self)

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"

    def backwards(self) -> Iterator[RunManifest]:
        """Every manifest, the last one first; reads no more than some beyond what is asked for.

        Raises StorageRefused where one is not the one that the manifest after it names.
        """
        if self._head is None:
            return
        yield self._head
        descent = Descent(self.name, self._under)
        descent.passed(self._head)
        for last in range(self.number - 1, 0, -_BACK_AT_ONCE):
            numbers = range(last, max(last - _BACK_AT_ONCE, 0), -1)
            found = read_each(self._output, [path_of(self.name, number) for number in numbers])
            yield from map(self._opened, repeat(descent), numbers, found)


def begin_chain(output: Output, signer: Signer, claim: str = CLAIM_FILE) -> Chain:
    """The chain that a claim stands for, which may have no manifest yet; the public key lies beside the output then."""
    chain = Chain(output, signer, chain_of(claim))
    if not chain.is_begun or not storage.exists(output.beside(PUBLIC_KEY_FILE)):
        put_key_beside(output, signer.public_key)
    return chain


def is_to_be_signed(output: Output) -> bool:
    """Whether the first run of an output was to sign it, also where it was killed before its first manifest."""
    return storage.exists(output.beside(PUBLIC_KEY_FILE))


def chain_to_append(output: Output, signer: Signer | None, claim: str = CLAIM_FILE) -> Chain | None:
    """The chain of an output that has one; None where nothing of the output is signed.

    It may have no manifest yet, where the first run was cut off. A dataset with a claim of its own begins its chain
    when the output has one. Raises KeyUnavailable where there is a chain and no key that signs.
    """
    name = chain_of(claim)
    if not last_number(output, OUTPUT_CHAIN) and not (name == OUTPUT_CHAIN and is_to_be_signed(output)):
        return None
    if signer is None:
        if name != OUTPUT_CHAIN and not last_number(output, name):
            return None
        raise KeyUnavailable(
            f"{output} is signed, and what is changed there must be, too: give --key_ring the ring it is signed with "
            "(a ring of version 1 cannot sign; pipelines.keys rotate makes it one of version 2)"
        )
    return Chain(output, signer, name)


def record_change(
    output: Output, signer: Signer | None, kind: str, put: Iterable[str], removed: Iterable[str],
    facts: Mapping[str, Any], claim: str = CLAIM_FILE, known: Mapping[str, PutFile] | None = None,
) -> str | None:  # fmt: skip
    """Says in a signed manifest which files a change has put into an output and which it has removed.

    To be called by the claim's holder when the files are as they must be, and before it says that the change is over.
    Paths are those in the output; what is put is read here, but for files that are `known`. Files of runs that have not
    signed them are left out: the run that writes them again does. `facts` are counts, and nothing of a person. Returns
    the manifest's number and digest as `NUMBER:DIGEST`; None, and nothing is written, where the output is not signed.
    The same change again, as of a run that was killed after this, gives the manifest that is there.
    Raises StorageUnavailable; KeyUnavailable where the output is signed and the signer is None.
    """
    chain = chain_to_append(output, signer, claim)
    if chain is None:
        return None
    head = chain.head
    unsigned = UnsignedFiles(output, head.streams if head else {})
    paths = {path for path in put if path not in unsigned}
    here = with_kept(head, [(known or {}).get(path) or put_file(output, path) for path in paths])
    gone = sorted({*removed} - paths)
    if head and (head.kind, head.put, head.removed, head.facts) == (kind, here, gone, dict(facts)):
        return str(chain)
    return chain.append(kind, here, gone, Told(facts=facts), number_of_output(output, signer))


def with_kept(head: RunManifest | None, put: Iterable[PutFile]) -> list[PutFile]:
    """These files by their paths, with what an output keeps as the manifest before names it, where they do not."""
    kept = [file for file in head.put if file.path == OUTPUT_FILE] if head else []
    return sorted({file.path: file for file in (*kept, *put)}.values(), key=lambda file: file.path)


def number_of_output(output: Output, signer: Signer | None) -> str:
    """The number that the output's own chain gives it."""
    main = chain_to_append(output, signer)
    return main.head.output if main is not None and main.head is not None else ""


def put_file(output: Output, path: str) -> PutFile:
    """What a manifest says of a file that lies there; of a Parquet file its rows, too."""
    data = storage.read_bytes(output.beside(path))
    rows = int(pq.read_metadata(pa.BufferReader(data)).num_rows) if path.endswith(".parquet") else None
    return PutFile(path, len(data), rows, digest_of(data))
