r"""Paths of files, of which only what lies in a package of a public registry stays.

Found are drives (`C:\`), shares (`\\host\`, `//host/`), roots (`/home/…`), homes (`~/`, `~name/`), URIs of editors
(`file:`, `vscode-remote:`) and what begins with `home/` or `Users\`; with separators doubled by escapes, names outside
ASCII, apostrophes within names and spaces between them. Addresses of the web are no paths, unless they lead into one.
"""

from collections.abc import Iterable

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import HIGH, Span, compiled

_SIGNS = r"\s\"<>|:*?()\[\]{},;`/\\"
_INSIDE = rf"'[A-Za-z{HIGH}]|[,;][A-Za-z{HIGH}]|\([A-Za-z{HIGH}][\w.{HIGH}-]*\)|\[[A-Za-z.{HIGH}][\w.{HIGH}-]*\]"
_PART = rf"(?:[^{_SIGNS}']|{_INSIDE})+"
_SLASH = r"[/\\]+(?:[A-Za-z]:[/\\]+)?"
_WORD = rf" (?:[\w.'&{HIGH}-]|\(x86\))+"
_HOME = r"(?i:home|users|documents and settings)[/\\]+"
_FOLDERS = (
    rf"(?:[A-Za-z]:[/\\]+)?(?:{_HOME}{_PART}(?:{_WORD}){{1,3}}{_SLASH}|{_PART}(?:{_WORD})?{_SLASH}"
    rf"|{_PART}(?:{_WORD}){{0,5}}\\+)*"
)
_BODY = compiled(rf"{_FOLDERS}{_HOME}{_PART}(?: [A-Z{HIGH}][\w.'{HIGH}-]*){{1,2}}|{_FOLDERS}(?:{_PART})?", longest=True)
_QUOTED = {
    c: compiled(
        rf"(?:[^{c}\n:*?<>|;]|[A-Za-z]:[/\\]|{c}[A-Za-z{HIGH}])*{c}"
        if c == "'"
        else rf"(?:[^{c}\n:*?<>|;]|[A-Za-z]:[/\\])*{c}"
    )
    for c in "\"'`"
}
_QUOTED_BYTES = 1024
_SPLIT = bytes.maketrans(b"\\", b"/")
_NO_ROOT_AFTER = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz.~<@")
_NO_WORD_BEFORE = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-")
_REGEX = compiled(r"[^/]*[+^$\\][^/]*/[dgimsuvy]{1,6}")
_WEB = frozenset(b"http https ws wss ftp ftps data".split())
_LOCAL = compiled(
    r"(?i)(?:[\w+.-]*[+.-])?(?:file|ssh-remote|vscode[\w-]*|cursor[\w-]*|code-oss|webpack[\w-]*|ng|rsc|turbopack|app|cwd|node|smb|nfs|afp|cifs|sftp|scp|ssh|untitled|jar|zip)"
)
_URL = compiled(r"[^\s\"'`<>(){}]*")
_PATH_IN_URL = compiled(r"/(?:home|Users)/|/[A-Za-z](?::|%3[aA])/|/@fs/")
_TAIL = compiled(
    r"(?:node_modules[/\\]+(?:@[a-z0-9~-][a-z0-9._~-]*[/\\]+)?[a-z0-9~][a-z0-9._~-]*"
    r"|extensions[/\\]+[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9][\w-]*-[0-9]+\.[0-9]+\.[0-9]+[\w.+-]*)(?:[/\\]+[\w.@+-]+)*[/\\]*"
)
_KEPT_FOLDERS = (b"node_modules", b"extensions")
_REDACTED = b"<REDACTED:path>"
_HEADS = (
    r"[A-Za-z][\w+.-]+:/{2,}|[A-Za-z]:[/\\]+|\\{2,}[?.]\\+(?:UNC\\+)?(?:[A-Za-z]:\\+)?"
    rf"|\\{{2,}}[\w.${HIGH}-]"
    rf"|~[^{_SIGNS}']*[/\\]+|%\w+%[/\\]+|/+|(?i:\b(?:home|users|documents and settings)[/\\]+)"
)


def _look(text: bytes, heads: Heads) -> Iterable[Span]:
    for start, end in heads:
        first = text[start : start + 1]
        if end - start > 3 and text[end - 1] == 47 and text[start:end].rstrip(b"/").endswith(b":"):
            begin, last = _uri(text, start, end)
            heads.pass_over(last)
            if begin is None:
                continue
        else:
            begin, last = start, _end(text, start, end, first)
            if last == start:
                continue
            heads.pass_over(last)
        if text[:begin].endswith(_REDACTED) if begin < 64 else text[begin - len(_REDACTED) : begin] == _REDACTED:
            continue
        yield Span(begin, begin + _kept_from(text[begin:last]), "path")


def _uri(text: bytes, start: int, end: int) -> tuple[int | None, int]:
    """Where the path of a URI begins and ends; None where it leads to no file of a person's machine."""
    scheme = text[start:end].partition(b":")[0].lower()
    if _LOCAL.fullmatch(scheme):
        return start, _walked(text, start, end)
    run = _URL.match(text, end).end()
    inner = _PATH_IN_URL.search(text, end, run)
    if inner is None:
        return None, run
    return inner.start(), max(run, _walked(text, inner.start(), inner.start() + 1))


def _end(text: bytes, start: int, end: int, first: bytes) -> int:
    """Where a path that begins at `start` ends; `start` where none does."""
    before = text[start - 1] if start else 32
    root = 0
    if first == b"/":
        if (
            before in _NO_ROOT_AFTER
            or text[max(0, start - 2) : start] == b"#!"
            or (before == 92 and text[start - 2 : start - 1] != b"\\")
        ):
            return start
        root = 2
    elif first == b"\\":
        root, end = (2, end - 1) if text[end - 1] not in b"\\" else (1, end)
    elif before in _NO_WORD_BEFORE:
        return start
    elif first not in b"~%" and text[start + 1 : start + 2] != b":":  # home/ or Users/
        end, root = start, 3 if text[start : start + 1] == b"u" and b"/" in text[start:end] else 2
    else:
        root = 1
    last = _walked(text, start, end)
    parts = [p for p in text[end:last].translate(_SPLIT).split(b"/") if p]
    if len(parts) < root or (first == b"\\" and root == 2 and len(parts[0]) < 2):
        return start
    if first == b"/" and len(parts) == 2 and _REGEX.fullmatch(text, end, last):
        return start
    return last


def _walked(text: bytes, start: int, end: int) -> int:
    quote = _QUOTED.get(text[start - 1 : start].decode("latin-1")) if start else None
    if quote:
        quoted = quote.match(text, end, min(len(text), end + _QUOTED_BYTES))
        if quoted:
            closed = quoted.end() - 1
            while text[closed - 1] == 92 and closed > end:  # the quote was escaped
                closed -= 1
            return closed
    match = _BODY.match(text, end)
    return match.end() if match else end


def _kept_from(path: bytes) -> int:
    """Where in a path what may stay begins: a package's own part, of a public registry's name shape."""
    at = max(path.rfind(folder) for folder in _KEPT_FOLDERS)
    if at < 1 or path[at - 1] not in b"/\\" or not _TAIL.fullmatch(path, at):
        return len(path)
    while path[at - 1] in b"/\\" and at > 1:
        at -= 1
    return at


PATHS = Detector.of("paths", _HEADS, _look)
