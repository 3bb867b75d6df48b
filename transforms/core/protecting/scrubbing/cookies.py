"""Values of cookies, in `Cookie` and `Set-Cookie` headers."""

from collections.abc import Iterable

from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import Span, compiled
from transforms.core.protecting.scrubbing.values import MAX_VALUE_BYTES, is_placeholder, mixes

_Q = r"\\*[\"'`]"
_PAIR = compiled(r"[ \t]*([\w.$-]+)=([^\s\"'`\\,;<>(){}]*)(;?)", captures=True)
_COOKIE_ATTRIBUTES = frozenset(
    b"path domain expires max-age samesite secure httponly priority partitioned version".split()
)


def _cookies(text: bytes, heads: Heads) -> Iterable[Span]:
    for _, end in heads:
        at = end
        while heads.goes_on(at) and (match := _PAIR.match(text, at, min(len(text), at + MAX_VALUE_BYTES))):
            name, value, separator = match.groups()
            at = match.end()
            long_enough = len(value) >= 6 and not is_placeholder(value) and (mixes(value) or len(value) >= 16)
            if name.lower() not in _COOKIE_ATTRIBUTES and long_enough:
                yield Span(match.span(2)[0], match.span(2)[1], "cookie")
            if not separator:
                break
        heads.pass_over(at)


COOKIES = Detector.of("cookies", rf"(?i)cookie(?:{_Q})?[\])]*\s*(?:[:=,]|=>)\s*(?:[bfur]?{_Q})?", _cookies, b"cookie")
