"""The labelled corpora: every span found, nothing else touched; and laws that hold for any text."""

import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import DATA
from tests.support.ordinary_lines import ordinary_lines
from transforms.core.protecting.scrub import CODE, ERRORS, Scrubber, scrub_column, scrub_json, scrub_text
from transforms.core.protecting.scrubbing.tokens import tokens

CORPUS = [json.loads(line) for line in (DATA / "scrub_corpus.jsonl").read_text().splitlines()]


def expected(text: str, spans: list[list[str]]) -> str:
    for kind, span in spans:
        assert span in text
        text = text.replace(span, f"<REDACTED:{kind}>")
    return text


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: c["text"][:30])
def test_corpus(case: dict) -> None:
    counts: Counter[str] = Counter()
    assert scrub_text(case["text"], ERRORS, counts) == expected(case["text"], case["spans"])
    assert counts == Counter(kind for kind, _ in case["spans"])


def test_precision_and_recall_on_the_corpus() -> None:
    found: Counter[str] = Counter()
    for case in CORPUS:
        scrub_text(case["text"], ERRORS, found)
    labelled = Counter(kind for case in CORPUS for kind, _ in case["spans"])
    correct = (found & labelled).total()
    assert (correct / found.total(), correct / labelled.total()) == (1.0, 1.0)


@pytest.mark.parametrize("case", CORPUS, ids=lambda c: c["text"][:30])
def test_prefilter_of_a_column_misses_nothing(case: dict) -> None:
    for scrubber in (CODE, ERRORS):
        counts: Counter[str] = Counter()
        column, _ = scrub_column(pa.array([None, "x", case["text"]]), scrubber, counts)
        assert column[2].as_py() == scrub_text(case["text"], scrubber, Counter())


def test_paths_keep_what_lies_in_a_module() -> None:
    text = "at /home/ann/w/node_modules/left-pad/index.js:3:1"
    assert scrub_text(text, ERRORS, Counter()) == "at <REDACTED:path>/node_modules/left-pad/index.js:3:1"


def test_code_keeps_paths() -> None:
    assert scrub_text("open('/etc/app/config.yml')", CODE, Counter()) == "open('/etc/app/config.yml')"


def test_what_hides_behind_json_escapes_is_found() -> None:
    text = '{"prefix": "mail bob\\u0040example.com\\nnext"}'
    counts: Counter[str] = Counter()
    column, spans = scrub_column(pa.array([text]), CODE, counts, is_json=True)
    assert json.loads(column[0].as_py()) == {"prefix": "mail <REDACTED:email>\nnext"}
    assert list(spans) == [1]
    assert counts == {"email": 1}


def test_json_cut_short_is_scrubbed_as_text() -> None:
    assert "example" not in scrub_json('{"prefix": "mail bob@example.com', CODE, Counter())


LABELLED = [json.loads(line) for line in (DATA / "cases" / "scrub" / "labelled.jsonl").read_text().splitlines()]
SMUGGLES = json.loads((DATA / "cases" / "smuggles.json").read_text())
NOT_FOUND = {"email_nodot", "ipv4_hex", "git_author", "trackid", "code", "html", "bidi"}
"""Of the smuggled values: what docs/scrubbing.md says is not found."""


def scrubbed(case: dict, found: Counter[str] | None = None) -> str:
    return scrub_text(
        case["text"], CODE if case["mode"] == "code" else ERRORS, found if found is not None else Counter()
    )


def test_recall_and_precision_on_labelled_secrets() -> None:
    labelled, found = Counter(), Counter()
    for case in LABELLED:
        labelled[case["kind"]] += 1
        gone = scrubbed(case) == case["text"] if case["kind"] == "stay" else case["secret"] not in scrubbed(case)
        found[case["kind"]] += gone
    assert found.pop("stay") == labelled.pop("stay")
    assert found.total() >= 0.95 * labelled.total()
    assert {kind: found[kind] for kind in labelled if found[kind] < 0.9 * labelled[kind]} == {}


def test_a_column_finds_what_a_text_does() -> None:
    for mode, scrubber in (("code", CODE), ("message", ERRORS)):
        cases = [case for case in LABELLED if case["mode"] == mode]
        column, _ = scrub_column(pa.array([case["text"] for case in cases]), scrubber, Counter())
        assert column.to_pylist() == [scrubbed(case) for case in cases]


def test_within_json_the_same_is_found() -> None:
    cases = [case for case in LABELLED if case["mode"] == "code" and case["kind"] != "stay"]
    texts = [json.dumps({"prefix": f"a\n\t{case['text']}\n"}, ensure_ascii=len(case["text"]) % 2 > 0) for case in cases]
    column, _ = scrub_column(pa.array(texts), CODE, Counter(), is_json=True)
    kept = [json.loads(text)["prefix"] for text in column.to_pylist()]
    missed = Counter(c["kind"] for c, text in zip(cases, kept, strict=True) if c["secret"] in text)
    assert missed.total() <= 0.02 * len(cases), missed


def test_scrubbing_the_corpora_twice_changes_nothing_more() -> None:
    for case in LABELLED:
        once = scrubbed(case)
        assert scrubbed({**case, "text": once}) == once


@pytest.mark.parametrize("name", sorted(set(SMUGGLES) - NOT_FOUND))
def test_smuggled_values_are_found_in_messages(name: str) -> None:
    smuggled = SMUGGLES[name]
    for text in ("{}", "failed: {}", "x {} y", "({})", "a\n{}\nb"):
        out = scrub_text(text.format(smuggled["value"]), ERRORS, Counter())
        assert not [part for part in smuggled["must_not_appear"] if part in out], out


@pytest.mark.parametrize("name", sorted(NOT_FOUND))
def test_what_docs_say_is_not_found(name: str) -> None:
    """Where one is found after all, the docs are to say so."""
    assert scrub_text(SMUGGLES[name]["value"], ERRORS, Counter()) == SMUGGLES[name]["value"]


def test_a_token_that_a_line_break_cut() -> None:
    assert (
        scrub_text("t = ghp_ZqAZqAZqAZqAZqAZqA\\\n   ZqAZqAZqAZqAZqAZqA end", CODE, Counter())
        == "t = <REDACTED:github_token> end"
    )


def test_a_key_cut_at_either_side() -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
    counts: Counter[str] = Counter()
    assert (
        scrub_text(f"x;\n{body}\n{body}\n-----END PRIVATE KEY-----\ny", CODE, counts) == "x;\n<REDACTED:private_key>\ny"
    )
    assert scrub_text(f"k = '-----BEGIN RSA PRIVATE KEY-----\n{body}", CODE, counts) == "k = '<REDACTED:private_key>"
    assert (
        scrub_text("if '-----BEGIN PRIVATE KEY-----' in text: ok()", CODE, counts)
        == "if '-----BEGIN PRIVATE KEY-----' in text: ok()"
    )


@pytest.mark.parametrize(
    "text",
    [
        "password = getpass('Password: ')", "token: string", "password: string;", "token = request.headers['X-Token']", "key = lambda x: x",
        "apiKey: process.env.API_KEY,", "PASSWORD=$PASSWORD", "password: ${DB_PASSWORD}", "password: <your-password>", "secret = '********'",
        "API_KEY=your-api-key-here", "password='changeme'", "tokenizer = 'cl100k_base'", "keyboard = 'qwerty12345'", "type='password'",
        "password_field = 'field_1'", "token_url = 'https://x.example/oauth2/token'", "keyFile: './certs/server1.key'", "Authorization: Bearer <token>",
        "Authorization: Bearer ${token}", "https://user:password@host/x", "https://example.com:8080/@scope/pkg@1.0.0", "git@github.com:a/b.git",
        "npm i react@18.2.0", "img@2x.png", "v1.2.3.4", "ObjectIdentifier('2.5.29.15')", "4111 1111 1111 1112", "00:00:00:00:00:00", "12:34:56:78",
        "x = y +12345678", "sk-learn-contrib-compatible-estimators", "basic authentication", "bearer of bad news", "cookie: dark",
    ],
)  # fmt: skip
def test_ordinary_code_stays(text: str) -> None:
    assert scrub_text(text, CODE, Counter()) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("at /home/a/node_modules/@scope/name/lib/x.js:1:2", "at <REDACTED:path>/node_modules/@scope/name/lib/x.js:1:2"),
        ("c:\\u\\x\\extensions\\github.copilot-1.2.3\\d.js:1:9", "<REDACTED:path>\\extensions\\github.copilot-1.2.3\\d.js:1:9"),
        ("/srv/x/extensions/zofiaqwx/a.js", "<REDACTED:path>"),
        ("/srv/node_modules/Zofia/a.js", "<REDACTED:path>"),
        ("/srv/node_modules/x/Zofia Q/a.js", "<REDACTED:path>"),
        ("see https://example.com/a/b and gs://b/x", "see https://example.com/a/b and gs://b/x"),
        ("https://file+.vscode-resource.vscode-cdn.net/home/ann/a", "https://file+.vscode-resource.vscode-cdn.net<REDACTED:path>"),
        ("file%3A%2F%2F%2Fhome%2Fann%2Fa.py failed", "<REDACTED:path> failed"),
        ("C:\\Users\\Ján van der Novák\\a.py", "<REDACTED:path>"),
        ("'/home/o'brien/my file.py'", "'<REDACTED:path>'"),
        ("/Users/Jan Kowalski", "<REDACTED:path>"),
    ],
)  # fmt: skip
def test_of_a_path_only_a_package_stays(text: str, kept: str) -> None:
    assert scrub_text(text, ERRORS, Counter()) == kept


def test_json_of_any_depth() -> None:
    text = "[" * 100_000 + '"mail bob@example.com"' + "]" * 100_000
    assert scrub_json(text, CODE, Counter()) == text.replace("bob@example.com", "<REDACTED:email>")


def test_numbers_and_structure_of_json_stay_byte_by_byte() -> None:
    text = '{ "n" : 123456789012345678901234567890.50e3 ,"4242 4242 4242 4242":[4242424242424242, -0.0,1E5], "p": "a\\/b \\u0041"}'
    expected_text = text.replace("4242 4242 4242 4242", "<REDACTED:card_number>")
    assert scrub_json(text, CODE, Counter()) == expected_text


def test_names_of_json_tell_what_their_values_are() -> None:
    assert json.loads(
        scrub_json('{"password": "Tr0ub4dor", "a": {"apiKey":"q7Zt9LmX2vBn4KpWs8Rd"}}', CODE, Counter())
    ) == {
        "password": "<REDACTED:password>",
        "a": {"apiKey": "<REDACTED:password>"},
    }


def test_a_span_over_several_strings_of_json_keeps_the_quotes() -> None:
    text = json.dumps(["-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAA", "b", "c"])
    assert json.loads(scrub_json(text, CODE, Counter())) == ["<REDACTED:private_key>"] * 3


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\ud83d bob@example.com \\udc00"}',
        '"\\ud83d\\ude00 bob@example.com"',
        '["\\u00e9\\u738b", "bob@example.com", "\\',
    ],
)
def test_surrogates_and_cut_escapes(text: str) -> None:
    assert scrub_json(text, CODE, Counter()) == text.replace("bob@example.com", "<REDACTED:email>")


def test_text_that_is_no_json_hides_nothing_behind_escapes() -> None:
    assert "bob" not in scrub_json('mail = "bob\\u0040example.com" // {', CODE, Counter())


TEXT = st.text(max_size=60) | st.sampled_from([c["text"] for c in CORPUS] + [c["text"] for c in LABELLED])


@given(TEXT, TEXT)
def test_scrubbing_twice_changes_nothing_more(a: str, b: str) -> None:
    once = scrub_text(f"{a} {b}", ERRORS, Counter())
    assert scrub_text(once, ERRORS, Counter()) == once


@given(TEXT, TEXT, st.sampled_from(["", " ", "\n", "\u200b"]))
def test_a_column_and_a_text_are_scrubbed_alike(a: str, b: str, between: str) -> None:
    text = f"{a}{between}{b}"
    for is_json, function in ((False, scrub_text), (True, scrub_json)):
        column, spans = scrub_column(pa.array([None, text]), ERRORS, Counter(), is_json=is_json)
        counts: Counter[str] = Counter()
        assert column[1].as_py() == function(text, ERRORS, counts)
        assert (0 if spans is None else spans[1]) == counts.total()


JSON = st.recursive(
    TEXT | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.booleans(), st.sampled_from([None, 2]))
def test_json_stays_json(document: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    json.loads(scrub_json(text, CODE, Counter()))


@pytest.mark.parametrize(("scrubber", "most_per_1000"), [(CODE, 1.0), (ERRORS, 3.0)], ids=["code", "errors"])
def test_ordinary_lines_are_left_alone(scrubber: Scrubber, most_per_1000: float) -> None:
    """What is touched are, but for a few, addresses of people in comments and paths."""
    lines = ordinary_lines(50_000)
    column, _ = scrub_column(pa.array(lines), scrubber, Counter())
    touched = sum(a != b for a, b in zip(lines, column.to_pylist(), strict=True))
    assert touched <= most_per_1000 * len(lines) / 1000


def test_docs_name_every_kind() -> None:
    page = (DATA.parent.parent / "docs" / "scrubbing.md").read_text()
    kinds = {token.kind for token in tokens()} | {kind for case in CORPUS for kind, _ in case["spans"]}
    assert [kind for kind in sorted(kinds) if f"| `{kind}` |" not in page] == []
