"""Batch inputs of which a run has begun and has not signed what it wrote.

`_unsigned/<input>.json` is written before the run's first file and goes when the run has signed. It holds what the run
knew when it began, so that who finds its files whole can sign them as the run would have. It is believed with the proof
of the output's key ring alone, and only while no manifest since has told of the input: an old one that somebody brings
back, with files as they were then, signs nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import takewhile

import msgspec

from schemas.errors import StorageRefused
from transforms.core import storage
from transforms.core.chains.chain import Chain, put_file
from transforms.core.chains.input_manifest import BATCH, is_of_input
from transforms.core.chains.run_manifest import PutFile, RunManifest
from transforms.core.chains.run_signing import Signing
from transforms.core.keys.proofs import RowProof
from transforms.core.output.layout import UNSIGNED_FOLDER, Output
from transforms.core.output.records import read_record

_SUFFIX = ".json"
_VERSION = 1


class Begun(msgspec.Struct, kw_only=True):
    """What a run knew when it began. `number` is that of the output's last manifest then.

    `days_before` are days for which earlier runs of the input had left files, `is_again` whether there may have been
    one, and `beside` small files of the run as they were.
    """

    input: str
    number: int
    is_again: bool
    days_before: list[date]
    beside: list[PutFile]
    geo_database_date: date | None
    proof: str = ""
    version: int = _VERSION

    def proved_by(self, proof: RowProof) -> "Begun":
        """The same with the proof that it must have."""
        return msgspec.structs.replace(self, proof=proof.of(msgspec.to_builtins(self)))


def begin_input(output: Output, signing: Signing, digest: str, days_before: Iterable[date], *, is_again: bool) -> Begun:
    """Writes down that a run begins, before its first file. A run that was cut off before had found days, too."""
    former = read_begun(output, digest)
    is_former = former is not None and former == former.proved_by(signing.proof)
    days = {*days_before, *(former.days_before if former and is_former else ())}
    begun = Begun(
        input=digest,
        number=signing.chain.number,
        is_again=is_again,
        days_before=sorted(days),
        beside=[put_file(output, path) for path in signing.beside],
        geo_database_date=signing.geo_database_date,
    ).proved_by(signing.proof)
    output.write(_path(output, digest), msgspec.json.encode(begun) + b"\n")
    return begun


def end_input(output: Output, digest: str) -> None:
    """Says that all of it is signed."""
    storage.remove(_path(output, digest))


def read_begun(output: Output, digest: str) -> Begun | None:
    """What was written down of an input; None where nothing was, or what is there is no such record."""
    path = _path(output, digest)
    try:
        return read_record(path, Begun, _VERSION) if storage.exists(path) else None
    except StorageRefused:  # it only says what is not signed; verify names it
        return None


def unsigned_inputs(output: Output) -> list[str]:
    """The digests of inputs that a run has begun and not signed, sorted."""
    names = storage.list_files(output.beside(UNSIGNED_FOLDER))
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def is_believed(begun: Begun, digest: str, chain: Chain, proof: RowProof) -> bool:
    """Whether a run with this ring wrote it down of this input, and no manifest since has told of the input."""
    if begun != begun.proved_by(proof) or begun.input != digest or begun.number > chain.number:
        return False
    told = (path for each in _since(begun, chain) for path in (*(file.path for file in each.put), *each.removed))
    return not any(is_of_input(path, digest) for path in told)


def is_signed_since(begun: Begun, chain: Chain) -> bool:
    """Whether a run of the input signed it, and was killed before it said so here."""
    return any(each.kind == BATCH and each.input == begun.input for each in _since(begun, chain))


def _since(begun: Begun, chain: Chain) -> Iterator[RunManifest]:
    return takewhile(lambda manifest: manifest.number > begun.number, chain.backwards())


def _path(output: Output, digest: str) -> str:
    return output.beside(UNSIGNED_FOLDER, f"{digest}{_SUFFIX}")
