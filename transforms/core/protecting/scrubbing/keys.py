"""Private keys in their armour: `-----BEGIN … PRIVATE KEY-----` and PuTTY's files, whole or cut."""

from collections.abc import Iterable

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import Span, compiled

_BEGIN = compiled(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_BODY = compiled(r"(?:\\+[nr]|[\s\"'`+,.;()>|#*])*(?:[A-Za-z0-9+/=]{8}|Proc-Type|Version:|Comment:|Charset:|Hash:)")
_END = compiled(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|Private-MAC: *[0-9a-f]+")
_BODY_BEFORE = compiled(r"[A-Za-z0-9+/=](?:[A-Za-z0-9+/=\s\"',+]|\\+[nr])*\z")
_PUTTY = b"Private-Lines"
_CUT_KEY_BYTES = 16_384
_HEADS = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|-----END [A-Z0-9 ]*PRIVATE KEY|Private-Lines: *[0-9]+"


def _look(text: bytes, heads: Heads) -> Iterable[Span]:
    """A key without its end reaches to the text's end; one without its beginning, back as far as Base64 does."""
    for start, end in heads:
        if text.startswith(b"-----END", start):
            closed = _END.match(text, start)
            before = _BODY_BEFORE.search(text[max(heads.passed, start - _CUT_KEY_BYTES) : start])
            if closed is None or before is None or len(before.group()) < 16:
                continue
            yield Span(start - len(before.group()), closed.end(), "private_key")
            heads.pass_over(closed.end())
            continue
        body = end
        if not text.startswith(_PUTTY, start):
            begin = _BEGIN.match(text, start)
            if begin is None:
                continue
            body = begin.end()
        if not _BODY.match(text, body, min(len(text), body + 200)):
            continue  # the line alone, as code that writes or looks for keys has it
        last = _END.search(text, body)
        reached = last.end() if last else len(text)
        yield Span(start, reached, "private_key")
        heads.pass_over(reached)


PRIVATE_KEYS = Detector.of("private_keys", _HEADS, _look, b"private key", b"private-lines")
