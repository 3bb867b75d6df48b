"""Words are words: only known values and short patterns land, everything else is `other` and counted."""

import re
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines import generate
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.options.ingest_flags import ingest_flags_of
from pipelines.options.known_values import read_vocabulary
from pipelines.streams.flags import StreamingJobOptions
from schemas.errors import InvalidOptions
from schemas.fields import Field
from schemas.known_values import PACKAGED, Vocabulary, known_values, list_names
from schemas.patterns import PATTERNS
from schemas.registry import EVENT_DATASETS, load
from tests.conftest import DATA, KEY_RING, read_rows, run_batch, sample, write_lines
from tests.support.pages import code_blocks
from transforms.core.protecting import words
from transforms.core.protecting.words import Words

WORD_FIELDS = {
    (f.name, f.allowed): f
    for name in EVENT_DATASETS
    for f in load(name).fields
    if f.treatment == "keep" and f.sources and pa.types.is_string(f.type)
}


def field(name: str) -> Field:
    return next(f for (n, _), f in WORD_FIELDS.items() if n == name)


def landed(name: str, text: str, vocabulary: Vocabulary = PACKAGED) -> str:
    return Words(vocabulary).land(field(name), pa.array([text]), Counter())[0].as_py()


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("editor", "vscode/1.114.0", "vscode"),
        ("editor", "VSCode", "vscode"),
        ("editor", "JetBrains-PY/251.23774.435", "JetBrains-PY"),
        ("editor", "vscode/zofia", "other"),
        ("editor", "/home/vscode", "other"),
        ("editor", "vscode/1.2.3/zofia", "other"),
        ("editor_version", "vscode/1.114.0", "1.114.0"),
        ("editor_version", "vscode/1.114.0-insider", "1.114.0-insider"),
        ("editor_version", "1.114.0", "1.114.0"),
        ("editor_version", "VisualStudio/17.14.36811.4", "17.14.36811.4"),
        ("editor_version", "Neovim/0.11.0-dev-1234+gabcdef0", "0.11.0-dev"),
        ("editor_version", "Vim/9.1.0821", "9.1.0821"),
        ("editor_version", "Eclipse/4.34.0.20241120-0800", "4.34.0.20241120"),
        ("editor_version", "Eclipse/4.34.0.v20241120", "4.34.0"),
        ("editor_version", "Xcode/16", "16"),
        ("editor_version", "zofia/1.114.0", "other"),
        ("editor_version", "/home/zofia/1.2.3", "other"),
        ("editor_version", "vscode/1.114.0/1.2.3", "other"),
        ("editor_version", "https://zofia:secret@git.example/1", "other"),
        ("extension_version", "copilot-chat/0.42.2026032901", "0.42.2026032901"),
        ("extension_version", "copilot-intellij/1.5.34-243", "1.5.34-243"),
        ("extension_version", "copilot-chat/93.184.216.34", "other"),
        ("extension_version", "copilot-chat/0.42.0 zofia", "0.42.0"),
        ("extension", "github.Copilot-Chat", "copilot-chat"),
        ("os", "Linux", "linux"),
        ("os_version", "Linux 6.8.0", "Linux 6.8.0"),
        ("os_version", "6.8.0-45-generic", "6.8.0-45-generic"),
        ("os_version", "6.8.0-45-generic-bobs-laptop", "6.8.0-45-generic"),
        ("os_version", "10.0.22631.4460", "10.0.22631.4460"),
        ("os_version", "5.15.167.4-microsoft-standard-WSL2", "5.15.167.4-microsoft-standard-WSL2"),
        ("os_version", "Darwin 23.4.0", "Darwin 23.4.0"),
        ("os_version", "Linux 93.184.216.34", "other"),
        ("os_version", "zofia 6.8.0", "other"),
        ("os_version", "Microsoft Windows 10.0.26100", "Microsoft Windows 10.0.26100"),
        ("os_version", "5.14.0-503.19.1.el9_5.x86_64", "5.14.0"),
        ("os_version", "6.12.9-200.fc41.x86_64", "6.12.9-200.fc41.x86_64"),
        ("os_version", "6.8.0-2a02:8109:9abc::11e", "6.8.0"),
        ("remote", "ssh-remote+devbox.zofia.example", "ssh-remote"),
        ("remote", "attached-container+7b22636f6e7461696e65724e616d65223a222f616c696365227d", "attached-container"),
        ("remote", "k8s-container", "k8s-container"),
        ("remote", "zofia@devbox", "other"),
        ("remote", "other", "other"),
        ("language", "C++", "c++"),
        ("language", "typescriptreact", "typescriptreact"),
        ("language", "\u212aotlin", "other"),  # the Kelvin sign folds to a k elsewhere
        ("engine", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("engine", "Claude-Sonnet-4-20250514", "claude-sonnet-4-20250514"),
        ("engine", "gpt-4o-2024-99-06", "other"),
        ("engine", "gpt-4o-zofia", "other"),
        ("error_code", "ECONNRESET", "ECONNRESET"),
        ("error_code", "econnreset", "other"),
        ("error_code", "429", "429"),
        ("error_type", "TypeError", "TypeError"),
        ("error_type", "TypeError: zofia", "other"),
        ("endpoint", "chat/completions", "chat/completions"),
        ("endpoint", "https://proxy.corp.example/completions", "other"),
        ("reason", "unhandled status from server: 502 <html>zofia", "unhandled status from server: 502"),
        ("reason", "unhandled status from server: 5021", "other"),
        ("reason", "token expired or invalid: 401", "token expired or invalid: 401"),
        ("reason", "token expired or invalid: zofia", "other"),
        ("category", "violence", "violence"),
        ("category", "zofia", "unspecified"),
    ],
)
def test_words_land_as_they_should(column: str, text: str, expected: str) -> None:
    assert landed(column, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "93.184.216.34", "v93.184.216.42", "93.184.216.34-insider", "93.184.216.34:8080", "0.0.0.1", "255.255.255.255",
        "93.184.216.034", "1.2.3.4.5", "93.184.216.34.example", "9\uff13.184.216.40", "4242.4242.4242.4242", "4242424242424242", "555.123.4567",
        "49.170.1234567", "7c7c7c7c7c7c7c7c", "0x5DB8D826", "deadbeef", "1..2", "1.2.", ".1.2", "-1.2", "1.2.3/4", "1.2.3\\4",
        "2a02:8109:9abc::11e", "1", "12345", "1.2.3" + "x" * 99, "\u0663.\u0664.\u0665",
    ],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    allowed = {"1"}  # one short number is a version: Xcode/16
    for name in ("version", "os_version"):
        assert PATTERNS[name].landed(text) == (text if text in allowed else None)


@given(
    st.ip_addresses(v=4).map(str),
    st.sampled_from(["", "v", "Linux ", "vscode/"]),
    st.sampled_from(["", "-insider", "-45-generic", " x", ":1"]),
)
@example("1.2.3.4", "", "")
def test_no_address_is_a_version(address: str, before: str, after: str) -> None:
    for column in ("editor_version", "os_version"):
        assert landed(column, before + address + after) == "other"


def may_land(column: Field, text: str) -> bool:
    """A second opinion: a value of the list, or made of the few parts that its pattern allows."""
    kind, _, name = column.shape.partition(":")
    if text in {"other", column.otherwise, *column.one_of}:
        return True
    if kind == "known":
        return text in known_values(name).values or any(
            "{" in value and text.startswith(value.partition("{")[0]) for value in known_values(name).values
        )
    return len(text) <= 64 and text[-1].isascii() and any(c.isdigit() for c in text)


ANYTHING = (
    st.text(max_size=40)
    | st.sampled_from(
        ["vscode/1.114.0", "copilot-chat/0.42.0", "python", "gpt-4o", "6.8.0-45-generic", "ssh-remote", "TypeError"]
    )
    | st.from_regex(r"[\w./+@: -]{0,30}", fullmatch=True)
)


@given(ANYTHING, st.sampled_from(["", "/", " ", "+", "-", "\n", "\0"]), ANYTHING)
@pytest.mark.parametrize("key", sorted(WORD_FIELDS), ids="-".join)
def test_no_other_text_ever_lands(key: tuple[str, str], one: str, between: str, two: str) -> None:
    unknown: Counter[str] = Counter()
    text = one + between + two
    if not text:
        return
    result = Words(PACKAGED).land(WORD_FIELDS[key], pa.array([text, None, text]), unknown)
    assert result[0] == result[2]
    assert result[1].as_py() is None
    assert may_land(WORD_FIELDS[key], result[0].as_py())
    if result[0].as_py() != text and result[0].as_py() in ("other", "unspecified"):
        assert unknown == {key[0]: 2}


NAMED = Vocabulary({"flights": ("new-model", "old:7")})


@pytest.mark.parametrize(("listed", "expected"), [
    ("new-model:31217401;secret:1", "new-model"),
    ("secret;old:7;new-model", "new-model;old:7"),
    (" new-model ;new-model:2;;:;", "new-model"),
    ("new-models:1;a new-model;NEW-MODEL;old;old:77;7", None),
    ("", None),
    (None, None),
])  # fmt: skip
def test_of_a_list_of_flights_the_named_ones_land(listed: str | None, expected: str | None) -> None:
    assert Words(NAMED).pick(field("flights"), pa.array([listed, None, listed], pa.string())).to_pylist() == [
        expected, None, expected,
    ]  # fmt: skip
    assert Words(PACKAGED).pick(field("flights"), pa.array([listed], pa.string())).to_pylist() == [None]


@given(st.lists(ANYTHING, max_size=4))
def test_no_flight_that_is_not_named_lands(items: list[str]) -> None:
    (landed_flights,) = Words(NAMED).pick(field("flights"), pa.array([";".join(items)])).to_pylist()
    assert landed_flights in (None, "new-model", "old:7", "new-model;old:7")


@pytest.mark.parametrize("name", list_names())
def test_every_list_says_its_source_and_lands_its_own_values(name: str) -> None:
    text = (Path(__file__).parents[2] / "schemas" / "known" / f"{name}.txt").read_text()
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    assert re.search(r"\n# Sources?: ", head)
    assert re.search(r"20\d\d-\d\d", head), "the date of the source"
    known = known_values(name)
    assert len(set(known.values)) == len(known.values)
    for value in known.values:
        plain = value.replace("{date}", "-2026-01-31").replace("{status}", "404").replace("{rest}", "")
        assert known.landed(plain) is not None, value
        assert "@" not in value
        assert value == value.strip()


def test_every_word_of_the_contract_is_held_against_its_shape() -> None:
    assert {"editor", "os", "language", "engine", "remote", "endpoint", "error_type", "error_code", "reason"} <= {
        n for n, _ in WORD_FIELDS
    }
    assert all(shape for _, shape in WORD_FIELDS)


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_REMEMBERED_WORDS", 10)
    seen = Words(PACKAGED)
    for start in range(0, 100, 7):
        texts = [f"zofia{n}" for n in range(start, start + 9)] + ["python", "x" * 300]
        unknown: Counter[str] = Counter()
        result = seen.land(field("language"), pa.array(texts), unknown)
        assert result.to_pylist() == ["other"] * 9 + ["python", "other"]
        assert unknown == {"language": 10}
    (column,) = seen._columns.values()
    assert len(column._known) <= 20
    assert max(map(len, column._known)) < 300


@pytest.mark.parametrize("name", sorted(p.stem for p in (DATA / "cases").glob("F05-*")))
def test_of_a_remote_only_its_kind_lands(name: str, tmp_path: Path) -> None:
    books = run_batch(DATA / "cases" / f"{name}.ndjson", tmp_path / "out", "--close_open_suggestions")
    kinds = {
        "F05-remote-0": "ssh-remote", "F05-remote-1": "ssh-remote", "F05-remote-2": "wsl",
        "F05-remote-4": "attached-container", "F05-remote-6": "tunnel", "F05-remote-8": "ssh-remote",
    }  # fmt: skip
    for dataset in ("displays", "suggestions"):
        (row,) = read_rows(tmp_path / "out", dataset)
        assert row["remote"] == kinds[name]
    assert books.unknown_values == {}


def unknown_model(tmp_path: Path, levels: tuple[str, ...] = ("all", "all", "off")) -> Path:
    lines = []
    for number, level in enumerate(levels):
        document = sample()
        document["data"]["baseData"]["properties"] |= {"unique_id": f"e{number}", "engineName": "acme-model-7"}
        document["collector"]["telemetry_level"] = level
        lines.append(document)
    return write_lines(tmp_path / "raw.ndjson", lines)


def test_a_new_model_is_seen_in_the_books_and_not_in_a_column(tmp_path: Path) -> None:
    books = run_batch(unknown_model(tmp_path), tmp_path / "out")
    assert books.unknown_values == {"engine": 2}, "what is off is not counted"
    assert {row["engine"] for row in read_rows(tmp_path / "out", "displays")} == {"other"}
    (mark,) = (row for row in read_rows(tmp_path / "out", "ledger") if row["unknown_values"])
    assert mark["unknown_values"] == [("engine", 2)]


def test_the_query_of_the_docs_tells_what_was_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DATA.parents[1] / "docs" / "known-values.md").read_text()
    run_batch(unknown_model(tmp_path), tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    (query,) = code_blocks(page, "sql")
    assert duckdb.sql(query).fetchall() == [("engine", 2)]
    assert all(f"`{name}`" in page for name in list_names())


def test_made_up_events_hold_known_values_alone(tmp_path: Path) -> None:
    generate.main([f"--output={tmp_path}", "--events=3000", "--seed=3"])
    books = run_batch(tmp_path / "raw", tmp_path / "out")
    assert books.landed > 2000
    assert books.unknown_values == {}
    assert "other" not in books.outside_contract


def test_an_operators_file_adds_values(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text('models = ["Acme-Model-7"]\neditors = ["acme"]\n')
    books = run_batch(unknown_model(tmp_path), tmp_path / "out", f"--known_values={tmp_path}/more.toml")
    assert books.unknown_values == {}
    assert {row["engine"] for row in read_rows(tmp_path / "out", "displays")} == {"Acme-Model-7"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('colours = ["red"]', "'colours' is no list; allowed are actors, architectures"),
        ('models = "gpt-9"', "models: allowed is an array"),
        ("models = [7]", "models: value 1 is no text but int"),
        ('models = ["gpt-9", "zofia@corp.example"]', r"models: value 2 \(18 characters\) looks like no word"),
        ('models = ["/home/zofia"]', "looks like no word"),
        ('models = ["93.184.216.34"]', "looks like no word"),
        ('models = ["host-93.184.216.34"]', "looks like no word"),
        ('models = ["{rest}"]', "looks like no word"),
        ('models = [""]', "looks like no word"),
        (f'models = ["{"x" * 65}"]', "looks like no word"),
        ('models = ["a\\nb"]', "looks like no word"),
        ("models = [", "TOMLDecodeError"),
        ("[models]\nnames = []", "models: allowed is an array"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_line_before_anything_is_written(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "more.toml").write_text(text)
    with pytest.raises(InvalidOptions, match=message) as refused:
        run_batch(unknown_model(tmp_path), tmp_path / "out", f"--known_values={tmp_path}/more.toml")
    assert "\n" not in str(refused.value)
    assert "zofia" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_the_endless_job_takes_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text('models = ["acme-model-7"]')
    flags = [f"--known_values={tmp_path}/more.toml", "--input=kafka://x/y", "--output=out", f"--key_ring={KEY_RING}"]
    options = parse_pipeline_options("streaming", StreamingJobOptions, ("input", "output", "key_ring"), flags)
    assert ingest_flags_of(options)["vocabulary"].known("models").landed("ACME-model-7") == "acme-model-7"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions):
        read_vocabulary(str(tmp_path / "none.toml"))
