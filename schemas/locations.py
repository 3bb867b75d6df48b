"""Locations as they may be shown: without the passwords and signatures that stand in URLs."""

import re

HIDDEN = "***"

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20}://)(?P<rest>[^\s'\"<>`]+)")
_QUERY = re.compile(r"(?P<mark>[?#])(?=[\w.~%-]{1,64}=)[^\s'\"<>`]*")
"""Keys and signatures (`?sig=`, `?X-Amz-Signature=`); behind a question mark of a glob stands no name and =."""


def without_secrets(text: str) -> str:
    """The text with logins of URLs, and queries, replaced by `***`."""
    if "://" in text:
        text = _URL.sub(_without_login, text)
    return _QUERY.sub(rf"\g<mark>{HIDDEN}", text) if "=" in text else text


def shown_path(path: str) -> str:
    """A path as it may be written down: without credentials of a URL, and without what is no text."""
    return without_secrets(path.encode(errors="surrogateescape").decode(errors="backslashreplace"))


def _without_login(url: re.Match[str]) -> str:
    """A password may hold a slash or an @, so the last @ counts, unless there is none before the path and no colon."""
    login, at, place = url["rest"].rpartition("@")
    if at and (":" in login or "/" not in login):
        return f"{url['scheme']}{HIDDEN}@{place}"
    return url[0]
