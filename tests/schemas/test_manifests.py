"""Extensions' contracts: both forms are read, classifications are strict, names find their events."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidOptions
from schemas.manifest_documents import manifests_of
from schemas.manifests import DROP, KEEP, NO_MANIFESTS, PERSON, SCRUB, TREATMENTS, Manifests
from tests.conftest import DATA

KEPT = {"classification": "SystemMetaData", "purpose": "FeatureInsight"}
PERSONS = {"classification": "EndUserPseudonymizedInformation", "purpose": "BusinessInsight"}
MANIFEST = json.loads((DATA / "golden" / "extension" / "telemetry.json").read_text())


def of(**events: Any) -> Manifests:
    return manifests_of({"a.json": {"events": events}})


def test_each_classification_has_its_treatment() -> None:
    found = manifests_of({"a.json": MANIFEST}).find("acme.linter/lint.done")
    assert found is not None
    assert (found.name, found.extension) == ("lint.done", "acme.linter")
    assert {name: member.treatment for name, member in found.members.items()} == {
        "rule": KEEP, "durationms": KEEP, "account": PERSON, "tenant": "pseudonymize:organization", "failure": SCRUB,
        "snippet": DROP, "publisher": DROP, "market": KEEP, "channel": KEEP,
    }  # fmt: skip
    assert found.members["durationms"].is_measurement
    assert found.members["account"].purpose == "BusinessInsight"
    assert {member.classification for member in found.members.values()} < {*TREATMENTS}


def test_the_output_of_code_telemetry_tells_extensions_apart() -> None:
    dump = {
        "acme.linter-1.2.3-linux-x64": {"events": {"done": {"a": KEPT}}},
        "other.tool-0.1.0": {"events": {"done": {"a": PERSONS}}},
        "vscode-core": {"events": {"startup": {"a": KEPT}}},
        "vscode-extensions": {"events": {"git/clone": {"a": KEPT}}},
        "empty.one-1.0.0": {},
    }
    found = manifests_of({"dump": dump})
    for name, extension, treatment in (
        ("Acme.linter/done", "acme.linter", KEEP), ("linter/done", "acme.linter", KEEP),
        ("other.tool/done", "other.tool", PERSON), ("monacoworkbench/startup", None, KEEP), ("startup", None, KEEP),
        ("vscode.git/clone", None, KEEP),
    ):  # fmt: skip
        event = found.find(name)
        assert event is not None, name
        assert (event.extension, event.members["a"].treatment) == (extension, treatment)
    for name in ("done", "third.ext/done", "linter/other", "", "a" * 300):
        assert found.find(name) is None, name


def test_an_extensions_own_declaration_goes_before_one_of_nobody() -> None:
    found = manifests_of(
        {"a": {"vscode-core": {"events": {"e": {"x": KEPT}}}, "a.b-1.0.0": {"events": {"e": {"x": PERSONS}}}}}
    )
    assert [found.find(name).members["x"].treatment for name in ("a.b/e", "other/e")] == [PERSON, KEEP]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["SystemMetadata", "systemmetadata", "SYSTEMMETADATA"])
def test_classifications_are_known_in_any_case(name: str) -> None:
    assert of(e={"p": {"classification": name}}).find("e").members["p"].treatment == KEEP  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            {"p": {"classification": "Harmless"}},
            "event e, property p: classification Harmless; allowed are SystemMetaData",
        ),
        ({"p": {"purpose": "FeatureInsight"}}, "event e, property p: no classification"),
        ({"properties": {"p": "words about it"}}, "event e, property p: no classification"),
        ({"${wildcard}": [{"${prefix}": "x."}]}, "event e, property x.: no classification"),
        ({"${wildcard}": {}}, "is no list"),
        ({"${include}": ["${F1}"]}, "is not resolved"),
        ("text", "event e: allowed are an object"),
    ],
)
def test_what_is_not_classified_is_refused_by_name(event: Any, told: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        of(e=event)
    assert str(refused.value).startswith("a.json: ")
    assert told in str(refused.value)


@pytest.mark.parametrize("document", [[], {}, {"events": []}, {"a": 1}, {"a": {"events": 3}}, {"a": {"b": 1}}, "x"])
def test_a_document_of_another_form_is_refused(document: Any) -> None:
    with pytest.raises(InvalidOptions, match=r"allowed is|no object of events"):
        manifests_of({"a.json": document})


def test_comments_and_unknown_members_are_left_alone() -> None:
    found = of(
        e={
            "owner": "me",
            "comment": "c",
            "expiration": "1.2",
            "n": 3,
            "l": [1],
            "p": {**KEPT, "column": {"type": "int"}},
        }
    )
    assert [*found.find("e").members] == ["p"]  # type: ignore[union-attr]


def test_properties_may_stand_under_their_groups() -> None:
    event = of(e={"description": "d", "properties": {"p": KEPT}, "measurements": {"m": KEPT}}).find("e")
    assert event is not None
    assert {name: member.is_measurement for name, member in event.members.items()} == {"p": False, "m": True}


def test_two_declarations_of_one_event_are_the_same_or_refused() -> None:
    same = {"events": {"e": {"p": KEPT}}}
    assert manifests_of({"a": same, "b": same}) == manifests_of({"a": same})
    with pytest.raises(InvalidOptions, match="b: event e is declared in another way in a"):
        manifests_of({"a": same, "b": {"events": {"e": {"p": PERSONS}}}})


def test_of_two_spellings_the_strictest_holds() -> None:
    event = of(e={"a.b": KEPT, "A_B": PERSONS}).find("e")
    assert event is not None
    assert event.member("a.B").treatment == PERSON  # type: ignore[union-attr]


@given(st.text(max_size=60))
def test_what_stands_behind_a_wildcards_prefix_never_lands(rest: str) -> None:
    event = of(e={"${wildcard}": [{"${prefix}": "timer.", "${classification}": KEPT}]}).find("e")
    assert event is not None
    member = event.member(f"timer.{rest}")
    assert member is not None
    assert member.name == "timer.*"
    assert event.member(f"other.{rest}") is None


def test_the_document_is_the_same_whatever_order_the_files_have_and_travels() -> None:
    a, b = {"events": {"e": {"p": KEPT}, "f": {}}}, MANIFEST
    one, two = manifests_of({"a": a, "b": b}), manifests_of({"b": b, "a": a})
    assert (one.document, one.digest) == (two.document, two.digest)
    assert one.digest != manifests_of({"a": a}).digest
    assert pickle.loads(pickle.dumps(one)).digest == one.digest
    assert not NO_MANIFESTS
    assert "BusinessInsight" in one.document.decode()
