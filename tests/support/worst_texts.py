"""Texts that were the worst we could think of for each pattern, of any size."""

import random

from transforms.core.protecting.scrubbing.tokens import Token

_RANDOM = random.Random(3)
_HEX = "".join(_RANDOM.choices("0123456789abcdef", k=4096))
_WORDS = "".join(_RANDOM.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", k=4096))

_PIECES = [
    "a", "0", "ab12", _HEX, _WORDS, "@", "a@", "a@b.", "a@b.c", "x.y@", ".", "a.", "1.", "1.2.3.4", "1.2.3.4.", ":", "a:", "::",
    "1:", "ab:", "ab-", "2a02:", "/", "/a", "/a/", "//", "/a b", "/a b/", "/home/", "/home/a b c", "\\", "\\\\", "\\a", "\\a b c d",
    "C:\\", "C:\\a b", "c:/", "~", "~a", "~/", "~a/", "home/", "users\\", "'", "'/", "'/a", "\"/a", "`/a b", "'/home/o'b", " '/a b",
    "file:///", "http://", "http://a:", "http://a:b", "://", "://a:b/", "://@", "vscode-remote://a+", "x://home/",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAA", "-----END PRIVATE KEY-----",
    "-----END PRIVATE KEY-----AAAAAAAAAAAAAAAAAAAA", "AAAA\n", "Private-Lines: 1\n", "-----BEGIN ", "-----",
    " key=key=key=", "password", "password=", "password=\"", "password='", "password = \"a", "password: ", "pwd=\"\"\"", "key=`", "a.key",
    "token=", "token = a b ", "secret, ", "secret(", "<password>", "password value=", "password: str = ", "API_KEY=a1", "?password=a1&",
    "authorization: bearer ", "bearer a1 ", "basic YTpi", "auth=\"", " --password ", " -p", "mysql -pa", " -u a:", "curl -u a:b ",
    "login a password ", "login a ", "configure set key ", "identified by '", "login('a','", "login('", "password is a1", "@tcp(",
    "a:b@tcp(", "jdbc:oracle:thin:", "jdbc:oracle:thin:a/", "cookie: ", "cookie: a=", "cookie: a=b;", "a=bbbbbb1;", "pass:",
    "+1 ", "+49 178 5", "+", "4242 ", "4242424242424242", "4242 4242 4242 4241 ", "DE89 ", "DE89AAAA", "555-555-5555", "1 ", "12-",
    " ", "\t", "\n", "    ", "\x00", "é", "王", "\u200b", "a\u200b", "\uff19", "&#64;", "&#", "%40", "%2525", "%2F", "\\u0040", "\\x40", "\\ud83d",
    "{", "[", "[[\"a\",", "\"", "\"\\", "\\\"", "\"a\",", "\"password\":\"a1b2c3\",", "{\"a\":", "1,", "<", "<REDACTED:path>/", "ghp_\n",
]  # fmt: skip


def token_pieces(token: Token) -> list[str]:
    """For a rule: its keyword again and again, alone, with what may follow, with what nearly is one."""
    words = token.keywords or tuple(_HEADED[token.kind])
    return [piece for word in words for piece in (word, f"{word}{_WORDS[:11]}", f" {word}a1", f"{word}{_WORDS}")]


def worst_pieces() -> list[str]:
    """What to repeat for the other patterns."""
    return list(dict.fromkeys(_PIECES))


def mixed_pieces() -> list[str]:
    """What is dense in one thing, and holds in every 2 KB what has a text read again: finds of each pass, an escape."""
    again = " ghp_" + "Zq1A" * 9 + "pass:w0rd1 password='password='password=' %40 \n"
    dense = ("pass:", "a@", "4242 4242 4242 4241 ", "tskey-.", "C:\\", "password='", "phx_", "1.2.3.4 ", "://a:b/")
    return [piece * (2000 // len(piece)) + again for piece in dense]


def worst_text(piece: str, size: int) -> str:
    """The piece again and again, without an end; so many bytes."""
    return (piece * (size // len(piece.encode()) + 1)).encode()[:size].decode("utf-8", "ignore")


_HEADED = {
    "discord_token": [".Gaaaaa.", "MAAAA.Gaaaaa.", "M"],
    "twilio_key": ["SK0000", "SK"],
    "airtable_token": [".00000000", "pat"],
    "asana_token": ["0/10000", "0/1"],
}
"""Texts that a rule's head finds, for rules without a keyword."""
