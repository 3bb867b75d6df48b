"""Judges of what stands where a secret stands: what each takes, and that none takes what only looks alike."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrubbing import context_values as judges
from transforms.core.protecting.scrubbing.context_values import Found

RANDOM = b"aB3dE6gH9jK2mN5pQ8sT"
PAIR = base64.b64encode(b"anna:s3cret-word")


def judged(judge: object, head: bytes, value: bytes) -> Found | None:
    text = head + value + b" and more"
    found: Found | None = judge(text, 0, len(head))  # type: ignore[operator]
    return found


@pytest.mark.parametrize(
    ("judge", "head", "value", "kind"),
    [(judges.authorization, b"Authorization: Bearer ", RANDOM, "authorization"),
     (judges.authorization, b"authorization: basic ", PAIR, "authorization"),
     (judges.bearer, b"Bearer ", RANDOM, "authorization"), (judges.basic, b"Basic ", PAIR, "authorization"),
     (judges.docker_auth, b'"auth": ', PAIR, "authorization"), (judges.option, b"--password ", b"Winter-2031x", "password"),
     (judges.stated, b"password is: ", b"hunter22", "password"), (judges.user, b"-u ", b"anna:Winter-2031x", "password"),
     (judges.slashed, b"sqlplus ", b"scott/t1gerEyes@", "url_credentials")],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_what_is_a_secret_is_taken_where_it_stands(judge: object, head: bytes, value: bytes, kind: str) -> None:
    found = judged(judge, head, value)
    assert found is not None
    assert found.kind == kind
    text = head + value + b" and more"
    assert text[found.at : found.at + len(found.value)] == found.value
    assert found.value in value


@pytest.mark.parametrize(
    ("judge", "head", "value"),
    [(judges.authorization, b"Authorization: Bearer ", b"<token>"), (judges.authorization, b"Authorization: ", b"https://x.y/z"),
     (judges.authorization, b"Authorization: Bearer ", b"token"), (judges.bearer, b"Bearer ", b"of"),
     (judges.basic, b"Basic ", b"understanding"), (judges.docker_auth, b'"auth": ', b"required"),
     (judges.option, b"--password ", b"--user"), (judges.stated, b"password: ", b"***"), (judges.user, b"curl -u ", b"anna"),
     (judges.user, b"curl -u ", b"anna:$PASSWORD")],
    ids=lambda value: getattr(value, "__name__", None),
)  # fmt: skip
def test_what_is_none_is_left(judge: object, head: bytes, value: bytes) -> None:
    assert judged(judge, head, value) is None


@pytest.mark.parametrize(
    "judge",
    [judges.authorization, judges.bearer, judges.basic, judges.docker_auth, judges.option, judges.user, judges.stated,
     judges.said, judges.strong_argument, judges.slashed, judges.driver],
    ids=lambda judge: judge.__name__,
)  # fmt: skip
@given(text=st.binary(max_size=60), cut=st.integers(0, 60), length=st.integers(1, 8))
def test_a_judge_takes_only_what_stands_in_the_text(judge: object, text: bytes, cut: int, length: int) -> None:
    start = min(cut, len(text))
    end = min(start + length, len(text))
    if end == start:
        return
    found: Found | None = judge(text, start, end)  # type: ignore[operator]
    if found is not None:
        assert text[found.at : found.at + len(found.value)] == found.value
        assert found.value
        assert 0 <= found.at <= len(text)


def test_a_short_option_is_a_password_after_some_commands_only() -> None:
    look = judges.after_command(b"mysql")
    assert look(b"mysql -u me -phunter22", 12, 14) == Found(14, b"hunter22", "password")
    assert look(b"mkdir -u me -phunter22", 12, 14) is None
    assert look(b"mysql -u me -p$PASSWORD", 12, 14) is None


def test_a_weak_password_is_one_after_a_command_that_fetches() -> None:
    assert judges.user(b"curl -u anna:hunter22", 5, 8) == Found(13, b"hunter22", "password")
    assert judges.user(b"sort -u anna:hunter22", 5, 8) is None
