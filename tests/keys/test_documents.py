"""Key files with every kind of damage: refused in one line that holds no key, or still the same keys."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import KeyUnavailable
from tests.conftest import KEY_RING, PRIVATE
from transforms.core.keys import keyring
from transforms.core.keys.documents import (
    Unsound,
    check_distinct,
    check_month,
    key_of,
    key_text,
    key_texts,
    keys_of,
    months_of,
    read_document,
    write_document,
)
from transforms.core.keys.private_keys import load_private

RING = (Path(KEY_RING) / "ring.json").read_bytes()
ROLE = (PRIVATE / "prompts.json").read_bytes()
KEY = bytes(range(32))
TEXTS = re.findall(r"[A-Za-z0-9+/]{43}=", RING.decode() + ROLE.decode())


def parts_of_keys(told: str) -> list[str]:
    return [text for text in TEXTS if any(text[at : at + 6] in told for at in range(len(text) - 6))]


def opened(data: bytes, folder: Path) -> keyring.KeyRing | None:
    """The ring; None where it is refused as it should be."""
    try:
        return keyring.parse(data, str(folder))
    except KeyUnavailable as refused:
        told = str(refused)
    assert told.startswith(f"{folder}/ring.json is not a key ring: ")
    assert "\n" not in told
    assert len(told) < 300
    assert not parts_of_keys(told)
    return None


@settings(max_examples=300)
@given(at=st.integers(0, len(RING) - 1), length=st.integers(0, 40), instead=st.binary(max_size=4))
def test_a_ring_with_any_part_replaced_is_refused_or_sound(at: int, length: int, instead: bytes) -> None:
    ring = opened(RING[:at] + instead + RING[at + length :], Path("/somewhere"))
    if ring is not None:
        assert keyring.parse(keyring.dumps(ring), "") == ring
        assert all(len(key) == 32 for key in ring.entries.values())
        assert len({*ring.entries.values()}) == len(ring.entries)


@settings(max_examples=60)
@given(st.data())
def test_a_ring_with_any_member_replaced_is_refused_or_sound(data: st.DataObject) -> None:
    document = json.loads(RING)
    holders = [(document, name) for name in document]
    holders += [(document["epochs"], name) for name in document["epochs"]]
    holders += [(document["readers"], role) for role in document["readers"]]
    holders += [(document["readers"][role][role], name) for role in document["readers"] for name in ("until", "since")]
    holders += [(document["readers"][role][role], "public_keys") for role in document["readers"]]
    holder, name = data.draw(st.sampled_from(holders))
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TEXTS),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=4,
    )  # fmt: skip
    holder[name] = data.draw(anything)
    opened(json.dumps(document).encode(), Path("/somewhere"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_a_ring_in_another_encoding_says_the_same_or_is_refused(encoding: str) -> None:
    ring = opened(RING.decode().encode(encoding), Path("/somewhere"))
    assert ring is None or ring == keyring.parse(RING, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "no JSON"),
        (b"\x00" * 100, "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b'{"a":' * 200_000, "no JSON"),
        (b'{"version": 1, "version": 1, "x": 1}', "no JSON"),
        (b'{"version": 1, "x": {"y": 1, "y": 2}}', "no JSON"),
        (b'{"x": ' + b"9" * 5000 + b', "version": 1}', "no JSON"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"version": 1}', "without 'x'"),
        (b'{"x": 1}', "of version unknown"),
        (b'{"x": 1, "version": 3}', "of version 3; this program reads up to 2"),
        (b'{"x": 1, "version": -1}', "of version unknown"),
        (b'{"x": 1, "version": 1.0}', "of version unknown"),
        (b'{"x": 1, "version": true}', "of version unknown"),
        (b'{"x": 1, "version": "1"}', "of version unknown"),
        (b'{"x": 1, "version": ' + b"1" * 4000 + b"}", "of version unknown"),
        (b'{"x": 1, "version": 1, "y": 2}', "with a member that this version does not know"),
    ],
)
def test_what_is_no_document(text: bytes, told: str) -> None:
    with pytest.raises(Unsound, match=told) as found:
        read_document(text, {1: frozenset(["x"]), 2: frozenset(["y"])})
    assert len(str(found.value)) < 100


@given(st.dictionaries(st.sampled_from("abc"), st.none() | st.text() | st.lists(st.integers()), min_size=3))
def test_a_document_is_read_as_it_was_written(members: dict[str, Any]) -> None:
    assert read_document(write_document(2, **members), {2: frozenset(members)}) == (2, members)


@given(st.binary(min_size=32, max_size=32).filter(lambda key: len({*key}) > 1))
def test_a_key_is_read_as_it_was_written(key: bytes) -> None:
    assert key_of(key_text(key), "x") == key
    assert keys_of(key_texts({"2026-04": key, "2026-03": key}), "x") == {"2026-03": key, "2026-04": key}
    assert [*key_texts({"2026-04": key, "2026-03": key})] == ["2026-03", "2026-04"]


@pytest.mark.parametrize(
    "value",
    [None, 7, b"x", [], "", "x", key_text(KEY[:31]), key_text(KEY + b"x"), key_text(KEY)[:-1], f"{key_text(KEY)} ",
     f"\n{key_text(KEY)}", key_text(KEY).replace("A", "\u0410"), base64.urlsafe_b64encode(b"\xff" * 31 + b"\xfe").decode(),
     key_text(KEY)[:-2] + "9=", KEY.hex(), "A" * 10**6],
)  # fmt: skip
def test_what_is_no_key(value: object) -> None:
    with pytest.raises(Unsound, match=r"^here is no key of 32 bytes in base64$"):
        key_of(value, "here")


@pytest.mark.parametrize("byte", [0, 1, 0x41, 0xFF])
def test_a_key_of_one_byte_again_and_again_is_no_random_one(byte: int) -> None:
    with pytest.raises(Unsound, match="one byte again and again"):
        key_of(key_text(bytes([byte]) * 32), "here")


@given(st.text(max_size=9))
def test_a_month_is_a_month_of_a_year(text: str) -> None:
    is_month = re.fullmatch("[0-9]{4}-(0[1-9]|1[012])", text) is not None and text[:4] != "0000"
    if is_month:
        assert check_month(text) == text
    else:
        with pytest.raises(KeyUnavailable, match="YYYY-MM"):
            check_month(text)


@pytest.mark.parametrize(
    "month",
    [
        "0000-01",
        "2026-00",
        "2026-13",
        "2026-1",
        "26-01",
        "2026-01\n",
        "\u0662\u0660\u0662\u0666-\u0660\u0661",
        "2026/01",
    ],
)
def test_what_is_no_month(month: str) -> None:
    with pytest.raises(KeyUnavailable, match="allowed is YYYY-MM"):
        check_month(month)
    with pytest.raises(Unsound, match="no list of months"):
        months_of([month], "destroyed")
    with pytest.raises(Unsound, match="names a key that is no month"):
        keys_of({month: key_text(KEY)}, "epochs")


def test_the_same_key_in_two_places_is_named_by_its_places() -> None:
    with pytest.raises(Unsound, match=r"^a and c are the same key$"):
        check_distinct({"a": KEY, "b": b"x" * 32, "c": KEY})
    check_distinct({})


@settings(max_examples=150)
@given(at=st.integers(0, len(ROLE) - 1), length=st.integers(0, 40), instead=st.binary(max_size=4))
def test_a_role_file_with_any_part_replaced_is_refused_or_sound(
    tmp_path_factory: pytest.TempPathFactory, at: int, length: int, instead: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "role.json"
    path.write_bytes(ROLE[:at] + instead + ROLE[at + length :])
    path.chmod(0o600)
    try:
        keys = load_private(str(path))
    except KeyUnavailable as refused:
        told = str(refused)
    else:
        told = f"{path} is not a role key file: "
        assert all(len(key) == 32 for key in keys.keys.values())
        assert keys.role in ("prompts", "completions", "operators")
    assert told.startswith(f"{path} is not a role key file: ")
    assert not parts_of_keys(told)
