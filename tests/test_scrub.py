"""The labelled corpus: every span found, nothing else touched; and laws that hold for any text."""

import json
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import DATA
from transforms.core.scrub import CODE, ERRORS, scrub_column, scrub_json, scrub_text

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
    assert set(labelled) == set(ERRORS.pattern.groupindex) - {"quoted", "bare"}


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


TEXT = st.text(max_size=60) | st.sampled_from([c["text"] for c in CORPUS])


@given(TEXT, TEXT)
def test_scrubbing_twice_changes_nothing_more(a: str, b: str) -> None:
    once = scrub_text(f"{a} {b}", ERRORS, Counter())
    assert scrub_text(once, ERRORS, Counter()) == once


@given(st.dictionaries(st.text(max_size=10), TEXT | st.lists(TEXT, max_size=3), max_size=4))
def test_json_stays_json(document: dict) -> None:
    json.loads(scrub_json(json.dumps(document), CODE, Counter()))
