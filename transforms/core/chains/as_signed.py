"""Whether files still are as they were signed, asked before somebody vouches for what is made of them.

A change that read an altered file would carry what was altered over into files that are signed anew. So would figures.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from schemas.errors import UnbalancedBooks
from transforms.core import storage
from transforms.core.chains.chain import Chain
from transforms.core.output.layout import Output

_READERS = 8
_MOST_NAMED = 3

_Told = dict[str, tuple[str | None, int]]
"""Path -> the digest that a file must have, None where it was removed, and the number of the manifest that says so."""


def check_as_signed(output: Output, chain: Chain, paths: Iterable[str], unsigned: Container[str] = ()) -> None:
    """Raises UnbalancedBooks where one of these files, by their paths in the output, is not as the chain says, is gone,
    or is told by no manifest. Files in `unsigned` are left out. What neither is there nor told is fine.

    Reads each file once, and the chain back to the oldest of them.
    """
    asked = {path for path in paths if path not in unsigned}
    _check(output, chain, asked, _told(chain, asked.__contains__, len(asked)))


def check_folders_as_signed(
    output: Output, chain: Chain, folders: Collection[str], unsigned: Container[str] = ()
) -> set[str]:
    """The same of all files in these folders, paths in the output; also of those that must be there and are not.

    Returns the paths that were left out. Reads the whole chain.
    """
    there = {storage.join(folder, name) for folder in folders for name in storage.list_files(output.beside(folder))}
    told = _told(chain, lambda path: path.rpartition("/")[0] in folders)
    asked = there | {path for path, (digest, _) in told.items() if digest is not None}
    left_out = {path for path in asked if path in unsigned}
    _check(output, chain, asked - left_out, told)
    return left_out


def _check(output: Output, chain: Chain, asked: Collection[str], told: _Told) -> None:
    paths = sorted(asked)
    with ThreadPoolExecutor(_READERS, "digest") as readers:
        found = dict(zip(paths, readers.map(lambda path: _digest(output, path), paths), strict=True))
    lines = [*_differences(chain, found, told)]
    if lines:
        more = f"; and {len(lines) - _MOST_NAMED} more" if len(lines) > _MOST_NAMED else ""
        raise UnbalancedBooks(
            f"nothing was changed, for what would be vouched for again is not as it was signed: "
            f"{'; '.join(lines[:_MOST_NAMED])}{more}. pipelines.verify tells all of it; bring the files back first"
        )


def _told(chain: Chain, is_asked: Callable[[str], bool], count: int | None = None) -> _Told:
    """What is told last of the paths that are asked for; the chain is read until so many are known."""
    told = _Told()
    for manifest in chain.backwards() if count != 0 else ():
        put = {file.path: file.sha256 for file in manifest.put if is_asked(file.path)}
        gone = dict.fromkeys(path for path in manifest.removed if is_asked(path))
        for path, digest in {**gone, **put}.items():
            told.setdefault(path, (digest, manifest.number))
        if len(told) == count:
            break
    return told


def _digest(output: Output, path: str) -> str | None:
    return storage.file_digest(output.beside(path)) if storage.exists(output.beside(path)) else None


def _differences(chain: Chain, found: dict[str, str | None], told: _Told) -> Iterator[str]:
    for path, digest in found.items():
        expected, number = told.get(path, (None, 0))
        if digest != expected:
            what = "was altered" if expected and digest else "is gone" if expected else "is told by no manifest"
            yield f"{path} {what}" + (f" (manifest {chain.name} {number})" if number else "")
