"""Values beside names: in twenty languages' syntax, by how clear the name is, and what is code stays."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.core.protecting.scrub import CODE, scrub_json, scrub_text

STRONG = [
    "password",
    "PASSWORD",
    "db_password",
    "passwd",
    "pwd",
    "client_secret",
    "secretValue",
    "passphrase",
    "PASS",
    "kennwort",
    "user-password",
]
WEAK = ["key", "auth", "signature", "salt", "session_id"]
SECRET, RANDOM = "Tr0ub4dor&3x", "q7Zt9LmX2vBn4KpWs8Rd5GhJ"
SYNTAXES = [
    '{} = "{}"', "{}='{}'", "{}: '{}'", '"{}": "{}"', "{} := `{}`", "{}=>'{}'", "let {}: string = '{}';", "{}: str = '{}'", "const {}: &'static str = \"{}\";",
    "<{}>{}</x>", '<add name="{}" value="{}"/>', "export {}={}\n", "{}: {}\n", "{}={}", "{} = b'{}'", '{} = """{}"""', "if {} == '{}':", "{} || '{}'", "x['{}'] = '{}'",
    'put("{}", "{}")', "?{}={}&x=1", "{}={};Server=x",
]  # fmt: skip


def scrubbed(text: str) -> str:
    return scrub_text(text, CODE, Counter())


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", STRONG)
def test_a_password_goes_in_every_syntax_and_what_surrounds_it_stays(name: str, syntax: str) -> None:
    secret = RANDOM if "put" in syntax or "?" in syntax else SECRET
    out = scrubbed(syntax.format(name, secret))
    assert out == syntax.format(name, "<REDACTED:password>")


@pytest.mark.parametrize("syntax", SYNTAXES[:9])
@pytest.mark.parametrize("name", WEAK)
def test_beside_a_name_that_says_less_only_what_looks_drawn_at_random_goes(name: str, syntax: str) -> None:
    assert RANDOM not in scrubbed(syntax.format(name, RANDOM))
    for word in ("summer", "left-pad", "user.name", "2024-01-31"):
        assert scrubbed(syntax.format(name, word)) == syntax.format(name, word)


@pytest.mark.parametrize(
    "name",
    [
        "password_field",
        "tokenizer",
        "secretary",
        "keyboard",
        "password_length",
        "token_url",
        "secretName",
        "passwordHint",
        "keyFile",
        "authors",
        "token_type",
    ],
)
@pytest.mark.parametrize("syntax", SYNTAXES[:6])
def test_names_of_something_beside_a_secret(name: str, syntax: str) -> None:
    assert scrubbed(syntax.format(name, "field_1x")) == syntax.format(name, "field_1x")


@given(st.text(max_size=30), st.sampled_from(STRONG[:6]), st.booleans())
def test_what_stands_before_and_behind_does_not_matter(text: str, name: str, ascii_only: bool) -> None:
    """Offsets are right around astral characters and combining marks, in text and behind JSON's escapes."""
    code = f'{text}\n{name} = "{SECRET}"\n{text}'
    assert SECRET not in scrubbed(code)
    document = json.dumps({"n": 1, "c": code}, ensure_ascii=ascii_only)
    kept = json.loads(scrub_json(document, CODE, Counter()))
    assert kept["n"] == 1
    assert f'{name} = "<REDACTED:password>"' in kept["c"]


@given(st.text(alphabet="abcYZ0189!#%^~+", min_size=1, max_size=50).map(lambda s: s * (600 // len(s))))
def test_of_a_value_that_is_longer_than_what_is_read_nothing_stays(value: str) -> None:
    value = f"aB3!{value}"
    out = scrubbed(f"password={value} end")
    assert out == "password=<REDACTED:password> end"


@pytest.mark.parametrize(
    "text",
    ["password = getpass()", "token: string", "self.password = password", "password: str | None = None", "key = lambda x: x", "return password == other.password",
     "if (!token) {", "secret = secrets[0]", "password=$PASSWORD", "const key = keys[i];", "token = next(tokens)", "passwords = []", "key=value"],
)  # fmt: skip
def test_code_stays(text: str) -> None:
    assert scrubbed(text) == text
