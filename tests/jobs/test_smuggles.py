"""Whatever a client smuggles into a word stands in no word column, name, book, screen or page.

Every value of data/cases/smuggles.json is put into every text that is kept, of
every kind of event, in all three envelopes: bare, behind a valid value, before
one; and into names, times and numbers. One run takes them all.
"""

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from schemas.registry import EVENT_DATASETS, load
from tests.conftest import DATA, KEY_RING, plain_columns, sample, write_lines

SMUGGLES: dict[str, dict[str, Any]] = json.loads((DATA / "cases" / "smuggles.json").read_text())
SAMPLES = sorted(f"{p.parts[-3]}/pass/{p.stem}" for p in (DATA / "samples").glob("*/pass/*.json"))
ENVELOPES = ("applicationinsights", "extension-appinsights", "extension-1ds")
FREE_TEXT = {("errors", "message"), ("errors", "stack")}
STILL_IN_FREE_TEXT = {"bidi", "code", "email_nodot", "git_author", "html", "ipv4_hex", "trackid"}
"""Kinds that scrubbing does not find in `message` and `stack`; docs/scrubbing.md says why."""

GLUED = re.compile(r"TypeError[/+-]")
"""A word right before a path or address, without a space: docs/scrubbing.md promises nothing of it."""

VALID = {
    "known:languages": "python", "known:models": "gpt-4o", "known:editors": "vscode/1.114.0",
    "version_of:editors": "vscode/1.114.0", "known:extensions": "copilot-chat/0.42.0",
    "version_of:extensions": "copilot-chat/0.42.0", "os_version": "Linux 6.8.0", "known:remote_kinds": "ssh-remote",
    "known:reasons": "all choices redacted", "known:error_types": "TypeError", "known:error_codes": "ECONNRESET",
}  # fmt: skip


def word_sources() -> list[tuple[tuple[str, ...], str]]:
    """Of every text that is kept: its places on the wire, and a valid value."""
    found = {}
    for name in EVENT_DATASETS:
        for field in load(name).fields:
            if field.treatment == "keep" and field.sources and pa.types.is_string(field.type):
                sources = tuple(s.partition("=>")[0] for s in field.sources)
                found[name, field.name] = (sources, VALID.get(field.allowed, "other"))
    return list(dict.fromkeys(found.values()))


WORDS = word_sources()
MOST_SOURCES = max(len(sources) for sources, _ in WORDS)


def put(document: dict[str, Any], source: str, text: str | None) -> None:
    """Sets a place on the wire, or clears it."""
    group, _, name = source.partition(".")
    base = document["data"]["baseData"]
    if group == "exception":
        for exception in base.get("exceptions", ()):
            exception[{"type": "typeName"}.get(name, name)] = text or ""
        return
    place = document.setdefault("tags", {}) if group == "tags" else base.setdefault("properties", {})
    if text is None:
        place.pop(name, None)
    else:
        place[name] = text


def enveloped(document: dict[str, Any], envelope: str) -> dict[str, Any]:
    """A sample, which is as Application Insights wraps it, as another client does."""
    base = document["data"]["baseData"]
    if envelope == "extension-appinsights" and base.get("exceptions"):
        inner = json.dumps({"exceptions": base["exceptions"]})
        base["exceptions"] = [{"typeName": "Object", "message": inner, "hasFullStack": False, "stack": ""}]
    if envelope == "extension-1ds":
        document["data"].pop("baseType", None)
        document["name"] = base.get("name") or document.get("name")
        document.pop("tags", None)
    return document


def with_words(name: str, envelope: str, text: str, turn: int, form: str) -> dict[str, Any]:
    document = copy.deepcopy(sample(name))
    for sources, valid in WORDS:
        for source in sources:
            put(document, source, None)
        put(document, sources[turn % len(sources)], form.format(valid=valid, text=text))
    for route in load(name.partition("/")[0]).events:
        if route.contains and route.name == document["data"]["baseData"].get("name", "").rpartition("/")[2]:
            put(document, route.source or "", f"{route.contains} {text}")
    return enveloped(document, envelope)


def odd_places(text: str) -> Iterator[dict[str, Any]]:
    """The smuggled text in names, times, numbers, levels and ids."""
    names = (
        "{text}", "copilot/{text}", "{text}/ghostText.shown", "auth.reset_token_{text}", "ghostText.shown {text}",
        "code_referencing.match_notification.{text}", "GitHub.copilot-chat/{text}", "applyPatch/{text}", "{text}/trackEditSurvival",
    )  # fmt: skip
    for envelope in ENVELOPES:
        for name in names:
            document = sample()
            document["data"]["baseData"]["name"] = document["name"] = name.format(text=text)
            yield enveloped(document, envelope)
    for sample_name in ("displays/pass/ghostText.shown", "errors/pass/ExceptionData", "requests/pass/request.response"):
        for member in ("name", "time", "iKey", "ver", "sampleRate", "ext"):
            yield {**sample(sample_name), member: text}
        for change in ({"baseType": text}, {"ver": text}):
            document = sample(sample_name)
            document["data"] |= change
            yield document
        for member in ("severityLevel", "ver", "name"):
            document = sample(sample_name)
            document["data"]["baseData"][member] = text
            yield document
        for group in ("properties", "measurements"):
            declared = [s for d in EVENT_DATASETS for f in load(d).fields for s in f.sources if not f.role]
            document = sample(sample_name)
            values = document["data"]["baseData"].setdefault(group, {})
            kept = {s.partition("=>")[0].partition(".")[2] for s in declared if s.startswith(f"{group}.")}
            values |= dict.fromkeys(kept, text)
            values[text] = text
            yield document
        for member in ("telemetry_level", "client_ip", "received_at", "snippet_consent"):
            document = sample(sample_name)
            document["collector"][member] = text
            yield document
        document = sample(sample_name)
        document["tags"] = dict.fromkeys([*document.get("tags", {}), "ai.device.osVersion", text], text)
        yield document


def smuggling_lines() -> Iterator[dict[str, Any]]:
    for number, smuggle in enumerate(SMUGGLES.values()):
        text = smuggle["value"]
        for name in SAMPLES:
            for envelope in ENVELOPES:
                yield with_words(name, envelope, text, 0, "{text}")
            for turn in range(1, MOST_SOURCES):
                yield with_words(name, ENVELOPES[(turn + number) % 3], text, turn, "{text}")
            for turn, form in enumerate(
                ("{valid} {text}", "{valid}/{text}", "{text}/{valid}", "{valid}-{text}", "{valid}+{text}")
            ):
                yield with_words(name, ENVELOPES[(turn + number) % 3], text, turn + number, form)
        yield from odd_places(text)


def numbered(documents: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each with ids of its own, unless they are smuggled: no two are duplicates, or of one suggestion."""
    smuggled = {s["value"] for s in SMUGGLES.values()}
    for number, document in enumerate(documents):
        properties = document["data"]["baseData"].setdefault("properties", {})
        if properties.get("unique_id") not in smuggled:
            properties |= {"unique_id": f"event {number}", "clientCompletionId": f"completion {number}"}
        yield document


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All smuggled lines through the real jobs; `screen` holds what they printed."""
    folder = tmp_path_factory.mktemp("smuggles")
    write_lines(folder / "raw.ndjson", list(numbered(smuggling_lines())))
    out, environment = folder / "out", {**os.environ, "TMPDIR": str(folder)}
    jobs = [
        [
            "batch",
            f"--input={folder}/raw.ndjson",
            f"--output={out}",
            f"--key_ring={KEY_RING}",
            "--buckets=2",
            "--close_open_suggestions",
        ],
        ["verify", f"--datasets={out}"],
        ["metrics", f"--datasets={out}", "--min_installations=1"],
        ["report", f"--datasets={out}", "--min_installations=1", f"--to={out}/report.html"],
    ]
    screen = b""
    for job, *flags in jobs:
        command = [sys.executable, "-W", "ignore", "-m", f"pipelines.{job}", *flags]
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        screen += done.stdout + done.stderr
        assert done.returncode in (0, 3), done.stderr  # 3: much of it is refused, and said to be
    (folder / "screen").write_bytes(screen)
    return folder


def found_in(text: str) -> set[str]:
    return {kind for kind, smuggle in SMUGGLES.items() if any(part in text for part in smuggle["must_not_appear"])}


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """Each plain column and all of its distinct texts, map keys too."""
    table = pq.ParquetFile(path).read(columns=plain_columns(path))
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_string(kind):
            yield name, "\0".join(pc.unique(table[name]).drop_null().to_pylist())
        elif pa.types.is_map(kind):
            yield name, repr(table[name].to_pylist())
    yield "metadata", repr(pq.read_schema(path).metadata)


def test_no_smuggled_value_stands_in_any_word_name_or_book(place: Path) -> None:
    rows = 0
    for path in sorted((place / "out").rglob("*")):
        assert not found_in(str(path.relative_to(place)))
        if path.suffix != ".parquet":
            assert path.is_dir() or not found_in(path.read_bytes().decode(errors="replace")), path
            continue
        dataset = path.relative_to(place / "out").parts[0]
        rows += pq.read_metadata(path).num_rows if dataset in EVENT_DATASETS else 0
        for column, text in texts_of(path):
            if (dataset, column) not in FREE_TEXT:
                assert not found_in(text), (dataset, column)
    assert rows > 100 * len(SMUGGLES), "too few of the events landed to prove anything"


def test_every_word_was_tried(place: Path) -> None:
    """Nothing is proven of a column in which no smuggled value was refused."""
    counted: dict[str, int] = {}
    for path in (place / "out" / "ledger").rglob("*.parquet"):
        for field, count in pq.read_table(path)["unknown_values"][0].as_py() or ():
            counted[field] = counted.get(field, 0) + count
    words = {
        f.name
        for n in EVENT_DATASETS
        for f in load(n).fields
        if f.treatment == "keep" and f.sources and pa.types.is_string(f.type)
    }
    # An outcome is derived, and null where it is none of its values. Of flights only named ones are ever picked, and the
    # rest of their list is no word that somebody meant to land: test_canary.py tries them, with one named.
    assert words - set(counted) == {"outcome", "flights"}
    assert min(counted.values()) > len(SMUGGLES)


def test_no_smuggled_value_stands_on_the_screen_or_the_page(place: Path) -> None:
    assert not found_in((place / "screen").read_bytes().decode(errors="replace"))
    page = (place / "out" / "report.html").read_text()
    assert "other" in page
    assert not found_in(page)


def test_free_text_holds_only_what_scrubbing_is_known_to_miss(place: Path) -> None:
    still: set[str] = set()
    for path in (place / "out" / "errors").rglob("*.parquet"):
        for column, text in texts_of(path):
            if column in ("message", "stack"):
                text = "\0".join(v for v in text.split("\0") if not GLUED.match(v))  # noqa: PLW2901
                for kind in STILL_IN_FREE_TEXT:  # taken away as a whole: other kinds hold parts of them
                    value = SMUGGLES[kind]["value"]
                    still |= {kind} if value in text else set()
                    text = text.replace(value, "")  # noqa: PLW2901
                still |= found_in(text)
    assert still == STILL_IN_FREE_TEXT


def test_the_search_itself_finds_each(place: Path) -> None:
    raw = "\0".join(
        json.dumps(json.loads(line), ensure_ascii=False) for line in (place / "raw.ndjson").read_text().splitlines()
    )
    for kind, smuggle in SMUGGLES.items():
        assert kind in found_in(f"x{smuggle['value']}y"), kind
        assert json.dumps(smuggle["value"], ensure_ascii=False)[1:-1] in raw
