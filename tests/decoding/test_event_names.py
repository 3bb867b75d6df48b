"""Names of events: prefixes, routes and their suffixes, and under which name one outside the contract is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.known_values import PACKAGED, known_values, vocabulary_of
from schemas.registry import event_schemas
from transforms.core.decoding.event_names import contract_name, counted_names
from transforms.core.decoding.routing import candidates

PUBLISHED = {*known_values("event_names").values, "other"}


@pytest.mark.parametrize(
    ("name", "routed_as"),
    [
        ("copilot/ghostText.shown", "ghostText.shown"),
        ("copilot-nes/provideInlineEdit", "provideInlineEdit"),
        ("GitHub.copilot-chat/copilot-nes/provideInlineEdit", "provideInlineEdit"),
        ("acme.suggest/ghostText.shown", "ghostText.shown"),
        ("auth.reset_token_403", "auth.reset_token_403"),
        ("applyPatch/trackEditSurvival", "applyPatch/trackEditSurvival"),
        ("copilot/applyPatch.trackEditSurvival", "applyPatch.trackEditSurvival"),
        ("GitHub.copilot-chat/replaceString/trackEditSurvival", "replaceString/trackEditSurvival"),
        ("monacoworkbench/inlineCompletion.endOfLife", "inlineCompletion.endOfLife"),
        (
            "copilot/code_referencing.match_notification.ignore.count",
            "code_referencing.match_notification.ignore.count",
        ),
    ],
)
def test_names_of_the_contract_are_found_behind_prefixes(name: str, routed_as: str) -> None:
    assert contract_name(name) == routed_as
    assert candidates(contract_name(name))


@pytest.mark.parametrize(
    "name",
    [
        "auth.reset_token_/home/zofia",
        "auth.reset_token_",
        "auth.reset_token_4031",
        "auth.reset_token_93.184.216.34",
        "auth.reset_token_\uff14\uff10\uff13",
        "code_referencing.match_notification.zofia",
        "/home/zofia/ghostText.shown",
        "C:\\x/ghostText.shown",
        "a/b/c/ghostText.shown",
        "https://zofia:secret@git.example/ghostText.shown",
        "ghostText.shown/zofia",
        "GhostText.shown",
        "ghostText.shown\n",
        "x" * 100_000 + "/ghostText.shown",
        "",
    ],
)
def test_what_only_looks_like_a_name_of_the_contract_is_outside_it_and_counted_as_other(name: str) -> None:
    assert contract_name(name) == name
    assert not candidates(name)
    assert counted_names(PACKAGED)(name) == "other"


@pytest.mark.parametrize(
    ("name", "counted_as"),
    [
        ("panel.request", "panel.request"),
        ("GitHub.copilot-chat/panel.request", "panel.request"),
        ("chatEditing/sessionHunks", "chatEditing/sessionHunks"),
        ("GitHub.copilot-chat/chatEditing/sessionHunks", "chatEditing/sessionHunks"),
        ("copilot/chatEditing/sessionHunks", "chatEditing/sessionHunks"),
        ("Zofia", "other"),
        ("panel.request zofia", "other"),
        ("zofia/trackEditSurvival", "other"),
    ],
)
def test_names_outside_the_contract_are_counted_by_published_names_alone(name: str, counted_as: str) -> None:
    assert contract_name(name) == name
    assert counted_names(PACKAGED)(name) == counted_as


def test_an_operator_adds_names() -> None:
    kind = counted_names(vocabulary_of({"event_names": ["acme/suggest.done"]}, "file"))
    assert (kind("acme/suggest.done"), kind("acme/suggest.undone")) == ("acme/suggest.done", "other")


def test_a_published_name_is_routed_on_a_condition_or_not_at_all() -> None:
    for name in PUBLISHED:
        assert all(target.route.source for target in candidates(contract_name(name)) if not target.route.attached)


@given(st.text(max_size=80) | st.sampled_from(sorted(PUBLISHED)).map(lambda n: f"zofia/{n}"))
def test_no_other_text_is_ever_counted_or_routed(name: str) -> None:
    routed = contract_name(name)
    assert counted_names(PACKAGED)(name) in PUBLISHED
    if candidates(routed):
        assert any(route.matches(routed) for schema in event_schemas().values() for route in schema.events)
    else:
        assert routed == name
