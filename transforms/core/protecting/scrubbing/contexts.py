"""Where secrets stand: after the names of headers, options of commands, in SQL, in calls that log in."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from transforms.core.protecting.scrubbing.context_values import (
    Found,
    after_command,
    authorization,
    basic,
    bearer,
    docker_auth,
    driver,
    option,
    said,
    slashed,
    stated,
    strong_argument,
    user,
)
from transforms.core.protecting.scrubbing.density import Heads
from transforms.core.protecting.scrubbing.engine import Detector
from transforms.core.protecting.scrubbing.spans import Span

_Q = r"\\*[\"'`]"
_OPTION_NAME = r"(?:[\w-]*-)?(?:pass(?:word|wd|phrase)?|pwd|token|secret|api-?key|access-?key|secret-?key|auth-?token)"


class _Context(NamedTuple):
    """`heads` ends where the value begins; one of `needs` stands in every head, in small letters."""

    name: str
    heads: str
    judge: Callable[[bytes, int, int], Found | None]
    needs: tuple[bytes, ...]

    def look(self, text: bytes, heads: Heads) -> Iterable[Span]:
        for start, end in heads:
            heads.read(start, 0)
            found = self.judge(text, start, end)
            if found:
                yield Span(found.at, found.at + len(found.value), found.kind)


_CONTEXTS = [
    _Context(
        "authorization",
        rf"(?i)authorization(?:{_Q})?[\])]*\s*(?:=>|[:=,])\s*(?:[bfur]?{_Q})?\s*(?:(?:bearer|basic|token|api-?key|digest"
        r"|negotiate|oauth|key|bot|splunk|sso-key|ghs)[ :=]+(?:token=)?\"?)?",
        authorization,
        (b"authorization",),
    ),
    _Context("bearer", r"(?i)bearer(?:\s+|%20|\+)", bearer, (b"bearer",)),
    _Context("basic", r"(?i)basic(?:[ \t]+|%20|\+)", basic, (b"basic",)),
    _Context("docker auth", rf"\b_?auth(?:{_Q})?\s*[:=]\s*(?:{_Q})?", docker_auth, (b"auth",)),
    _Context(
        "option",
        rf"(?i)(?:^|[\s\"'`(,])--?{_OPTION_NAME}(?:[ \t]+|{_Q},?\s+)(?:{_Q})?",
        option,
        (b"pass", b"pwd", b"token", b"secret", b"key"),
    ),
    _Context("sshpass", rf"sshpass\s+-p\s*(?:{_Q})?", stated, (b"sshpass",)),
    _Context("mysql", rf"\s-p(?:{_Q})?", after_command(b"mysql", b"mariadb"), (b"mysql", b"mariadb")),
    _Context(
        "login -p",
        rf"\s(?:-p|-w|-a)[ \t]+(?:{_Q})?",
        after_command(
            b"docker login", b"podman login", b"oc login", b"az login", b"acr login", b"registry login", b"redis-cli",
            b"ldapsearch", b"psexec",
        ),
        (b"login", b"redis-cli", b"ldapsearch", b"psexec"),
    ),
    _Context(
        "user",
        rf"\s-u[ \t]*(?:{_Q})?|--(?:proxy-)?user[ =](?:{_Q})?|\s-a[ \t]+(?:{_Q})?",
        user,
        (b"-u", b"--user", b"--proxy-user", b"-a"),
    ),
    _Context("netrc", rf"(?i)\b(?:login|account|user)\s+\S+\s+password\s+(?:{_Q})?", stated, (b"password",)),
    _Context(
        "configure",
        rf"(?i)configure\s+set\s+[\w.]*(?:secret|token|key|password)\w*\s+(?:{_Q})?",
        stated,
        (b"configure",),
    ),
    _Context(
        "sql",
        r"(?i)identified\s+(?:with\s+\S+\s+)?by\s+(?:password\s+)?\\*[\"']"
        r"|(?:with|encrypted|set|=)\s+password\s*[(=]?\s*(?:for\s+\S+\s*=\s*)?\\*[\"']|password\s*\(\s*\\*'",
        stated,
        (b"identified", b"password"),
    ),
    _Context("powershell", rf"(?i)ConvertTo-SecureString\s+(?:-String\s+)?{_Q}", stated, (b"securestring",)),
    _Context("openssl", r"\bpass(?:in|out)?(?:[ \t]+|=)(?:\\*[\"'])?pass:", stated, (b"pass:",)),
    _Context(
        "login call",
        r"(?i)(?:log_?in|log_?on|sign_?in|connect|authenticate|auth|credentials?|password_?authentication|create_?user)"
        rf"\s*=?\s*\(\s*[bru]?{_Q}[^\"'`\n]*{_Q}\s*,\s*[bru]?{_Q}",
        strong_argument,
        (b"login", b"log_in", b"logon", b"log_on", b"sign", b"connect", b"auth", b"credential", b"create"),
    ),
    _Context(
        "said",
        r"(?i)(?:pass(?:word|wd|code|phrase)|pwd|api[ _-]?key|secret|token)(?:\s+is|\s+was|:)?\s+(?:\\*[\"'`])?",
        said,
        (b"pass", b"pwd", b"key", b"secret", b"token"),
    ),
    _Context(
        "oracle",
        r"(?i)jdbc:oracle:(?:thin|oci8?):|sqlplus\s+(?:-\w\s+)*|(?:impdp|expdp|sqlldr)\s+",
        slashed,
        (b"oracle:", b"sqlplus", b"impdp", b"expdp", b"sqlldr"),
    ),
    _Context("go driver", r"@(?:tcp|udp|unix)\(", driver, (b"@",)),
]  # fmt: skip

CONTEXTS = [Detector.of(c.name, c.heads, c.look, *c.needs) for c in _CONTEXTS]
