"""Private keys in their armour, cut at any byte: nothing of the body is left, and code that talks of keys stays."""

from collections import Counter

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from transforms.core.protecting.scrub import CODE, scrub_json, scrub_text


def armoured() -> dict[str, str]:
    """Real keys, as cryptography writes them."""
    none, pem = serialization.NoEncryption(), serialization.Encoding.PEM
    key, elliptic = (
        ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
        ec.derive_private_key(7**40, ec.SECP256R1()),
    )
    forms = serialization.PrivateFormat
    locked = serialization.BestAvailableEncryption(b"x")
    return {
        "pkcs8": elliptic.private_bytes(pem, forms.PKCS8, none).decode(),
        "sec1": elliptic.private_bytes(pem, forms.TraditionalOpenSSL, none).decode(),
        "openssh": key.private_bytes(pem, forms.OpenSSH, none).decode(),
        "encrypted": elliptic.private_bytes(pem, forms.PKCS8, locked).decode(),
        "proc-type": elliptic.private_bytes(pem, forms.TraditionalOpenSSL, locked).decode(),
    }


KEYS = armoured()


def left_of(out: str, body: list[str]) -> list[str]:
    return [line for line in body if len(line) >= 20 and line in out]


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("around", ["{}", "k = '''{}'''", "x = 1;\n{}\ny = 2", "key: |\n{}"])
def test_a_whole_key_is_one_span(name: str, around: str) -> None:
    counts: Counter[str] = Counter()
    out = scrub_text(around.format(KEYS[name].strip()), CODE, counts)
    assert out == around.format("<REDACTED:private_key>")
    assert counts == {"private_key": 1}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_whose_lines_are_indented_escaped_or_joined(name: str) -> None:
    lines = KEYS[name].strip().split("\n")
    for joined in ("\n    ".join(lines), "\\n".join(lines), "\r\n".join(lines), '\\n" +\n  "'.join(lines)):
        out = scrub_text(f'key = "{joined}"', CODE, Counter())
        assert left_of(out, lines[1:-1]) == [], joined
    assert left_of(scrub_json(f'["{chr(92)}n{(chr(92) + "n").join(lines)}"]', CODE, Counter()), lines[1:-1]) == []


@pytest.mark.parametrize("name", KEYS)
def test_wherever_a_key_is_cut_no_whole_line_of_it_is_left(name: str) -> None:
    text = KEYS[name].strip()
    lines = [line for line in text.split("\n")[1:-1] if ":" not in line]
    body = text.index(lines[0])
    for at in range(body + 20, len(text), 7):
        assert left_of(scrub_text(f"x\n{text[:at]}", CODE, Counter()), lines) == []
        if at < text.index(lines[-1]):
            tail = f"x\n{text[at:]}\ny"
            assert left_of(scrub_text(tail, CODE, Counter()), lines) == []


@pytest.mark.parametrize(
    "text",
    ["if '-----BEGIN PRIVATE KEY-----' in text:\n    pass", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----",
     "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n-----END CERTIFICATE-----", "END = '-----END PRIVATE KEY-----'"],
)  # fmt: skip
def test_what_is_no_private_key_stays(text: str) -> None:
    assert scrub_text(text, CODE, Counter()) == text


def test_putty() -> None:
    text = (
        "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAAIGn6lKJ8mPq2xZvW4uT0yBcD\nPrivate-MAC: 0123abcd\nend"
    )
    assert scrub_text(text, CODE, Counter()) == "PuTTY-User-Key-File-3: ssh-ed25519\n<REDACTED:private_key>\nend"
