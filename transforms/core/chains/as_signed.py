"""Whether files still are as they were signed, asked before somebody changes them and vouches for what is there then.

A change that read an altered file would carry what was altered over into files that are signed anew.
"""

from collections.abc import Container, Iterable, Iterator
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
    asked = sorted({path for path in paths if path not in unsigned})
    told = _told(chain, asked)
    with ThreadPoolExecutor(_READERS, "digest") as readers:
        found = dict(zip(asked, readers.map(lambda path: _digest(output, path), asked), strict=True))
    lines = [*_differences(chain, found, told)]
    if lines:
        more = f"; and {len(lines) - _MOST_NAMED} more" if len(lines) > _MOST_NAMED else ""
        raise UnbalancedBooks(
            f"nothing was changed, for what would be vouched for again is not as it was signed: "
            f"{'; '.join(lines[:_MOST_NAMED])}{more}. pipelines.verify tells all of it; bring the files back first"
        )


def _told(chain: Chain, paths: Iterable[str]) -> _Told:
    left, told = {*paths}, _Told()
    for manifest in chain.backwards() if left else ():
        put = {file.path: file.sha256 for file in manifest.put if file.path in left}
        gone = dict.fromkeys(path for path in manifest.removed if path in left)
        told |= {path: (digest, manifest.number) for path, digest in {**gone, **put}.items()}
        left -= told.keys()
        if not left:
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
