"""Consent per event and per field, epochs, and that nothing clear is left in a protected batch."""

import itertools
import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.options.ingest_flags import default_geo_database
from schemas.errors import KeyUnavailable
from schemas.registry import EVENT_DATASETS, LEVELS, load
from tests.conftest import sample
from transforms.core.blocks import Block
from transforms.core.carried import CLIENT_IP, LEVEL, SNIPPET_CONSENT, slot_of
from transforms.core.decoding.decode import BlockDecoder
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.pseudonym_columns import ColumnPseudonymizer
from transforms.core.keys.pseudonyms import CORRELATION_DOMAINS, PERSON_DOMAINS, Pseudonymizer
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.protecting import protect
from transforms.core.protecting.places.geo import GeoDatabase
from transforms.core.protecting.protect import Protected, Protector, withhold_fields


def protected(ring: KeyRing, *documents: dict[str, Any]) -> dict[str, Protected]:
    block = Block(lines=[json.dumps(d).encode() for d in documents])
    protector = Protector(step_keys_of(ring).pseudonyms, GeoDatabase(default_geo_database(), 15_000), 4)
    batches = BlockDecoder(step_keys_of(ring).quarantine, 4).decode(block)
    return {b.kind: protector.protect(b.kind, b.batch) for b in batches if b.kind not in ("counts", "quarantine")}


def one_row(ring: KeyRing, document: dict[str, Any], kind: str) -> dict[str, Any]:
    (row,) = protected(ring, document)[kind].batch.to_pylist()
    return dict(row)


def with_level(name: str, level: Any, consent: Any = True) -> dict[str, Any]:
    document = sample(name)
    document["collector"] |= {"telemetry_level": level, "snippet_consent": consent}
    return document


def test_how_many_domains_are_remembered_changes_nothing(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    document = sample("displays/pass/ghostText.shown")
    expected = one_row(ring, document, "displays")
    monkeypatch.setattr(protect, "_MOST_PSEUDONYMIZERS", 2)
    protector = Protector(step_keys_of(ring).pseudonyms, GeoDatabase(default_geo_database(), 15_000), 4)
    for _ in range(2):
        (batch,) = (
            b
            for b in BlockDecoder(step_keys_of(ring).quarantine, 4).decode(Block([json.dumps(document).encode()]))
            if b.kind == "displays"
        )
        assert protector.protect("displays", batch.batch).batch.to_pylist() == [expected]
        assert len(protector._pseudonymizers) <= 2


@pytest.mark.parametrize(
    ("level", "lands"),
    [("all", True), ("error", False), ("crash", False), ("off", False), (None, False), ("ALL", False), ("", False)],
)
def test_usage_needs_level_all(ring: KeyRing, level: Any, lands: bool) -> None:
    assert ("displays" in protected(ring, with_level("displays/pass/ghostText.shown", level))) is lands


def test_at_level_error_usage_fields_of_an_error_are_withheld(ring: KeyRing) -> None:
    full = one_row(ring, with_level("errors/pass/ghostText.failed", "all"), "errors")
    part = one_row(ring, with_level("errors/pass/ghostText.failed", "error"), "errors")
    gone = {k for k in full if full[k] is not None and part[k] is None}
    assert gone == {"user_id", "country", "region", "city"}
    assert part["installation_id"] == full["installation_id"]


def test_code_needs_the_accounts_consent_too(ring: KeyRing) -> None:
    for consent in (False, None):
        assert "snippets" not in protected(ring, with_level("snippets/pass/engine.prompt", "all", consent))
    accepted = sample("outcomes/pass/ghostText.accepted")
    accepted["data"]["baseData"]["properties"]["completionTextJson"] = '"return 1"'
    assert set(protected(ring, accepted)) == {"outcomes", "snippets"}
    accepted["collector"]["snippet_consent"] = False
    assert set(protected(ring, accepted)) == {"outcomes"}


def test_person_changes_with_the_epoch_and_the_suggestion_does_not(ring: KeyRing) -> None:
    march, april = sample(), sample()
    april["collector"]["received_at"] = "2026-04-01T00:00:00Z"
    rows = protected(ring, march, april)["displays"].batch.to_pylist()
    assert [r["key_id"] for r in rows] == ["2026-03", "2026-04"]
    assert rows[0]["slot_code"] == rows[1]["slot_code"]
    for column, is_same in (
        ("installation_id", False),
        ("user_id", False),
        ("session_id", False),
        ("suggestion_id", True),
    ):
        assert (rows[0][column] == rows[1][column]) is is_same


IDS = ("event_id", "suggestion_id", "opportunity_id", "request_id")


def test_two_senders_of_the_same_ids_have_none_in_common_in_any_month(ring: KeyRing) -> None:
    """Who sends is the installation; without one the session, the user or the event."""
    who = [
        {"client_machineid": "a"},
        {"client_machineid": "b"},
        {"client_sessionid": "c"},
        {"copilot_trackingId": "d"},
        {},
    ]
    documents = []
    for month in ("2026-03", "2026-04"):
        for person in who:
            document = sample("displays/pass/ghostText.shown")
            document["tags"], properties = {}, document["data"]["baseData"]["properties"]
            for name in ("client_machineid", "client_sessionid", "copilot_trackingId"):
                properties.pop(name, None)
            properties |= {"opportunityId": "o", "headerRequestId": "r", "unique_id": "u", **person}
            document["collector"]["received_at"] = f"{month}-20T00:00:00Z"
            documents.append(document)
    rows = protected(ring, *documents)["displays"].batch.to_pylist()
    for name in IDS:
        assert len({row[name] for row in rows} - {None}) == len(who), name
        assert [row[name] for row in rows[: len(who)]] == [row[name] for row in rows[len(who) :]]


def test_all_rows_of_an_event_have_one_sender_whatever_columns_they_have(ring: KeyRing) -> None:
    """A row of `snippets` has no user, and yet the user is its sender where nothing else is named."""
    accepted = sample("outcomes/pass/ghostText.accepted")
    properties = accepted["data"]["baseData"]["properties"]
    for name in ("client_machineid", "client_sessionid"):
        properties.pop(name, None)
    accepted["tags"] = {}
    properties |= {"completionTextJson": '"return 1"', "copilot_trackingId": "d"}
    (outcome,), (snippet,) = (protected(ring, accepted)[n].batch.to_pylist() for n in ("outcomes", "snippets"))
    assert "user_id" not in snippet
    assert [outcome[name] for name in (*IDS, "slot_code")] == [snippet[name] for name in (*IDS, "slot_code")]


def test_ids_of_months_before_have_no_sender(ring: KeyRing) -> None:
    march, april = sample(), sample()
    april["collector"]["received_at"] = "2026-04-01T00:00:00Z"
    keys = step_keys_of(ring).pseudonyms
    block = Block(lines=[json.dumps(d).encode() for d in (march, april)])
    (batch,) = (b.batch for b in BlockDecoder(step_keys_of(ring).quarantine, 4).decode(block) if b.kind == "displays")
    raw = march["data"]["baseData"]["properties"]["clientCompletionId"]
    made = {}
    for month in ("", "2026-04", "2026-05"):
        protector = Protector(keys, GeoDatabase(default_geo_database(), 15_000), 4, sender_from=month)
        made[month] = protector.protect("displays", batch).batch.to_pylist()
    unsent = keys.id_pseudonymizer("suggestion", has_sender=False).of(raw)
    sent = made[""][0]["suggestion_id"]
    assert sent != unsent
    assert {month: [row["suggestion_id"] for row in rows] for month, rows in made.items()} == {
        "": [sent, sent], "2026-04": [unsent, sent], "2026-05": [unsent, unsent],
    }  # fmt: skip


def test_the_same_text_has_another_pseudonym_in_another_domain(ring: KeyRing) -> None:
    user, session = (step_keys_of(ring).pseudonyms.pseudonymizer(domain, "2026-03") for domain in ("user", "session"))
    assert user.of("x") != session.of("x")


def test_what_is_remembered_is_bounded_and_changes_nothing() -> None:
    """An endless job sees ever new requests and months."""
    remembering = ColumnPseudonymizer(b"s" * 32, remembers=True)
    for batch in range(9):
        values = [f"request-{number}" for number in range(batch * 5000, batch * 5000 + 6000)]
        expected = [Pseudonymizer(b"s" * 32).of(value) for value in values[:50]]
        assert remembering.column(pa.array(values))[:50].to_pylist() == expected
        assert len(remembering._known or ()) <= 20_000 + 6000


def test_month_without_a_key_is_no_pseudonym_and_says_what_to_do(ring: KeyRing) -> None:
    with pytest.raises(KeyUnavailable, match=r"no key for epoch 2030-01 .* rotate .* --through 2030-01"):
        step_keys_of(ring).pseudonyms.pseudonymizer("user", "2030-01")


@pytest.mark.parametrize(
    "name", ["displays/pass/ghostText.shown", "errors/pass/unhandlederror", "requests/pass/request.sent"]
)
def test_nothing_clear_is_left(ring: KeyRing, name: str) -> None:
    document = sample(name)
    text = repr(one_row(ring, document, name.partition("/")[0]))
    base, stamp = document["data"]["baseData"]["properties"], document["collector"]
    secrets = [base[k] for k in ("unique_id", "client_machineid", "client_sessionid", "copilot_trackingId")]
    for secret in [*secrets, stamp["client_ip"], "alice"]:
        assert secret not in text


def test_split_lives_meet_in_one_bucket_whatever_the_level(ring: KeyRing) -> None:
    rows = [with_level("errors/pass/ghostText.failed", level) for level in ("all", "error")]
    slots = {r["slot_code"] for r in protected(ring, *rows)["errors"].batch.to_pylist()}
    assert len(slots) == 1


@pytest.mark.parametrize(
    ("level", "consent", "code", "kept"),
    [
        ("all", True, True, True),
        ("all", False, False, True),
        ("all", False, True, False),
        ("error", True, False, False),
        ("crash", True, False, False),
    ],
)
@pytest.mark.parametrize("wound", ["wrong type", "too large"])
def test_refused_payload_keeps_its_bytes_only_where_all_of_it_is_permitted(
    ring: KeyRing, level: str, consent: bool, code: bool, kept: bool, wound: str
) -> None:
    document = with_level("errors/pass/auth.new_token", level, consent)
    base = document["data"]["baseData"]
    base["measurements"]["expires_at"] = "soon" if wound == "wrong type" else 1e18
    base["properties"] |= {"completionTextJson": "x"} if code else {}
    rows = [
        row
        for batch in BlockDecoder(step_keys_of(ring).quarantine, 4).decode(Block(lines=[json.dumps(document).encode()]))
        if batch.kind == "quarantine"
        for row in batch.batch.to_pylist()
    ]
    if wound == "too large" and level == "crash":  # decoded, and then above the user's level
        assert rows == []
        return
    assert [row["body"] is not None for row in rows] == [kept]
    assert [row["body_key_id"] for row in rows] == ["standing" if kept else None]


LEVEL_INDEX = {name: index for index, name in enumerate(LEVELS)}


@pytest.mark.parametrize("dataset", EVENT_DATASETS)
def test_every_field_is_withheld_at_every_level_that_does_not_permit_it(dataset: str) -> None:
    """Against the sentence of the contract: a field needs its level; code needs level all and the consent."""
    schema = load(dataset)
    for level, consent in itertools.product(range(len(LEVELS)), (False, True)):
        names = [CLIENT_IP if f.treatment == "geolocate" else f.name for f in schema.fields]
        columns: dict[str, pa.Array] = {name: pa.array(["x", None]) for name in dict.fromkeys(names)}
        columns |= {LEVEL: pa.array([level, level], pa.int8()), SNIPPET_CONSENT: pa.array([consent, consent])}
        withheld: Counter[str] = Counter()
        withhold_fields(schema, columns, withheld)
        expected: Counter[str] = Counter()
        gone: set[str] = set()
        for field, name in zip(schema.fields, names, strict=True):
            permitted = consent if field.level == "snippet" else level >= LEVEL_INDEX[field.level]
            if not permitted and name not in gone:
                gone.add(name)
                expected[field.level] += 1
        assert {name for name in columns if columns[name].null_count == 2} == gone, (level, consent)
        assert withheld == expected, (level, consent)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, len(LEVELS) - 1), st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_rows_of_several_levels_are_each_withheld_by_its_own(rows: list[tuple[int, bool, bool]]) -> None:
    schema = load("errors")
    names = [CLIENT_IP if f.treatment == "geolocate" else f.name for f in schema.fields]
    columns: dict[str, pa.Array] = {
        n: pa.array(["x" if there else None for _, _, there in rows], pa.string()) for n in names
    }
    columns |= {LEVEL: pa.array([r[0] for r in rows], pa.int8()), SNIPPET_CONSENT: pa.array([r[1] for r in rows])}
    withhold_fields(schema, columns, Counter())
    for field in schema.fields:
        if field.treatment == "geolocate":
            continue
        kept = columns[field.name].to_pylist()
        for (level, consent, there), value in zip(rows, kept, strict=True):
            permitted = consent if field.level == "snippet" else level >= LEVEL_INDEX[field.level]
            assert value == ("x" if there and permitted else None)


@pytest.mark.parametrize("slots", [1, 4, 16, 64])
def test_slots_are_evenly_filled(ring: KeyRing, slots: int) -> None:
    """By chi squared: 8,000 installations, and a bound that chance exceeds once in a million runs."""
    people, of = 8000, step_keys_of(ring).pseudonyms.bucketer().of
    counts = Counter(slot_of(of(f"installation-{n}"), slots) for n in range(people))
    assert set(counts) == set(range(slots))
    expected = people / slots
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared <= (slots - 1) + 5 * (2 * slots) ** 0.5 + 12


def test_pseudonyms_differ_by_domain_and_by_month(ring: KeyRing) -> None:
    keys, text = step_keys_of(ring).pseudonyms, pa.array(["one text"])
    months = ("2026-03", "2026-04")
    made = [keys.pseudonymizer(d, m).column(text).to_pylist()[0] for d in PERSON_DOMAINS for m in months]
    made += [keys.id_pseudonymizer(d).column(text).to_pylist()[0] for d in CORRELATION_DOMAINS]
    assert {len(pseudonym) for pseudonym in made} == {16}
    assert len({*made}) == len(made)
