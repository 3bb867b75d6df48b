"""The first manifest of an output that was begun unsigned: all that lies there, and nothing that is unknown."""

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from pipelines.verifying.books import unsigned_books
from pipelines.verifying.unsigned import unreadable
from schemas.errors import InvalidOptions, UnbalancedBooks
from schemas.registry import ACCEPTANCE
from transforms.core import storage
from transforms.core.chains.chain import BEGINNING, Chain, Told, begin_chain, put_file
from transforms.core.chains.run_manifest import PutFile
from transforms.core.chains.unsigned_inputs import end_input, unsigned_inputs
from transforms.core.keys.signing import Signer
from transforms.core.output import stream_state
from transforms.core.output.layout import DATA_DATASETS, LEDGER, PUBLISHED_FOLDER, Output, claim_of, parse_name
from transforms.core.storage import Entry

_MOST_LINES = 20
_READERS = 16
_DAY_FILE = re.compile(r"([a-z_]+)/received_date=\d{4}-\d\d-\d\d/([^/]+)")
_OF_OURS = re.compile(
    r"_output\.json|_stream-[0-9a-f]{16,64}\.json|_inputs/[0-9a-f]{16,64}(\.json|/\d{4}-\d\d-\d\d)"
    r"|(_schemas|_manifests)/[0-9a-f]{16,64}\.json|(_expired|_erased|_compacted|_replayed|_published)/.*|runs/[0-9a-f-]{36}\.json"
)
_LEFT_OUT = re.compile(r"_claim(-[a-z_]+)?\.json(\..*)?|_signing\.pub|_audit/.*|_unsigned/[0-9a-f]{16}\.json")
_STREAM = re.compile(r"_stream-([0-9a-f]+)\.json")


def begin_signing(output: Output, signer: Signer) -> list[tuple[Chain, int, int]]:
    """Begins the chains of an output; returns each, and how many files and bytes its first manifest names.

    The caller holds the claims. Raises UnbalancedBooks where the books do not balance, InvalidOptions where files lie
    there that are none of this system: what is signed must be known.
    """
    entries = [entry for entry in storage.whole_tree(output.path) if not _LEFT_OUT.fullmatch(entry.path)]
    problems = [*unreadable(entries), *(f"{entry.path}: not a file of this system" for entry in _foreign(entries))]
    if problems:
        raise InvalidOptions(f"{output} holds what must not be signed: {_shortened(problems)}")
    if problems := unsigned_books(output).problems:
        raise UnbalancedBooks(f"{len(problems)} places in {output} do not balance: {_shortened(problems)}")
    files = _read(output, [entry.path for entry in entries])
    main = begin_chain(output, signer)
    own = [file for file in files if not file.path.startswith((f"{ACCEPTANCE}/", f"{PUBLISHED_FOLDER}/"))]
    main.append(BEGINNING, own, told=Told(facts={"files": len(own)}, streams=dict(_streams(output, own))))
    for digest in unsigned_inputs(output):
        end_input(output, digest)
    made = [_counted(main, own)]
    if apart := [file for file in files if file not in own]:
        chain = begin_chain(output, signer, claim_of(ACCEPTANCE))
        assert main.head is not None
        chain.append(BEGINNING, apart, told=Told(facts={"files": len(apart)}), output_id=main.head.output)
        made.append(_counted(chain, apart))
    return made


def _counted(chain: Chain, files: list[PutFile]) -> tuple[Chain, int, int]:
    return chain, len(files), sum(file.size_bytes for file in files)


def _foreign(entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        day_file = _DAY_FILE.fullmatch(entry.path)
        if day_file and day_file[1] in (*DATA_DATASETS, LEDGER):
            is_ours = parse_name(day_file[2]) is not None
        elif day_file and day_file[1] == ACCEPTANCE:
            is_ours = day_file[2] == f"{ACCEPTANCE}.parquet"
        else:
            is_ours = _OF_OURS.fullmatch(entry.path) is not None
        if not is_ours:
            yield entry


def _read(output: Output, paths: list[str]) -> list[PutFile]:
    readers = 2 if storage.is_local(output.path) else _READERS
    with ThreadPoolExecutor(readers, "digests") as pool:
        return list(pool.map(lambda path: put_file(output, path), sorted(paths)))


def _streams(output: Output, files: Iterable[PutFile]) -> Iterator[tuple[str, int]]:
    for file in files:
        if found := _STREAM.fullmatch(file.path):
            state = stream_state.load(output, found[1])
            if state is not None:
                yield found[1], state.whole_to_s


def _shortened(lines: list[str]) -> str:
    more = f"; and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return f"{'; '.join(lines[:_MOST_LINES])}{more}"
