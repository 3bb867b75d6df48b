"""Routing: total and unambiguous for every rule of every schema, and by conditions that a value can meet."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.patterns import PATTERNS
from schemas.registry import EVENT_DATASETS, event_schemas
from schemas.routes import Route
from tests.conftest import DATA
from transforms.core.decoding import routing, wire
from transforms.core.decoding.envelopes import decode_event, wire_name
from transforms.core.decoding.event_names import contract_name
from transforms.core.decoding.routing import MOST_NAME_CHARS, candidates, targets
from transforms.core.decoding.wire import BaseData, Data, Envelope, attribute

SUFFIXES = {"status": ["404", "100", "599"], "notice": ["ignore", "open.count"]}
ROUTES = [(dataset, route) for dataset, schema in event_schemas().items() for route in schema.events]


def names_of(route: Route) -> list[str]:
    """Names that the rule is about; of a rule with a suffix one for each of some suffixes."""
    if route.suffix is None:
        return [route.name]
    return [route.name.removesuffix("*") + suffix for suffix in SUFFIXES[route.suffix]]


NAMES = sorted({name for _, route in ROUTES for name in names_of(route)})


def an_event(*told: tuple[Route, Any]) -> Envelope:
    """An event that has nothing but the values that the rules' conditions look at."""
    values: dict[str, dict[str, Any]] = {"properties": {}, "measurements": {}}
    for route, value in told:
        if route.source is not None:
            group, name = attribute(route.source)
            values[group][name] = value
    kinds = {"properties": wire.Properties, "measurements": wire.Measurements}
    return Envelope(Data(BaseData(**{group: kinds[group](**found) for group, found in values.items() if found})))


def beside(route: Route) -> list[tuple[Route, Any]]:
    """What must be told as well so that the event has the primary dataset beside which the rule holds."""
    return [(r, met(r)) for d, r in ROUTES if d == route.beside and r.name == route.name]


def met(route: Route) -> Any:
    if route.equals is not None:
        return route.equals
    return "anything" if route.present else f"before {route.contains} behind"


def not_met(route: Route) -> list[Any]:
    if route.present:
        return [None, ""]
    return [None, -1.0 if isinstance(route.equals, int | float) else "something else"]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_has_one_primary_dataset_whatever_the_event_holds(name: str) -> None:
    conditions = [target.route for target in candidates(name) if target.route.source is not None]
    events = [an_event(), *(an_event((route, value)) for route in conditions for value in (met(route), None))]
    for event in events:
        primary, attached = targets(name, event)
        assert primary in EVENT_DATASETS or conditions, "only a condition that is not met leaves an event outside"
        assert primary not in attached
        assert len(set(attached)) == len(attached)


@pytest.mark.parametrize(("dataset", "route"), ROUTES, ids=lambda v: v if isinstance(v, str) else v.name)
def test_every_rule_is_reached(dataset: str, route: Route) -> None:
    for name in names_of(route):
        primary, attached = targets(name, an_event(*beside(route), (route, met(route))))
        assert dataset == primary or dataset in attached


@pytest.mark.parametrize(("dataset", "route"), [(d, r) for d, r in ROUTES if r.source], ids=lambda v: v if isinstance(v, str) else v.name)  # fmt: skip
def test_a_condition_that_is_not_met_sends_nothing_there(dataset: str, route: Route) -> None:
    for value in not_met(route):
        primary, attached = targets(route.name, an_event(*beside(route), (route, value)))
        assert dataset not in (primary, *attached)


def test_a_copy_stands_only_beside_the_dataset_that_its_rule_names() -> None:
    """The twin of ghost text says that it was shown, too; it is no display."""
    (shown,) = (r for d, r in ROUTES if d == "displays" and r.beside)
    (twin,) = (r for d, r in ROUTES if d == "endings" and r.source)
    (decided,) = (r for d, r in ROUTES if d == "outcomes" and r.present)
    everything = [(r, met(r)) for r in (shown, twin, decided)]
    assert targets(shown.name, an_event(*everything)) == ("endings", ())
    assert targets(shown.name, an_event(everything[0], everything[2])) == ("outcomes", ("displays",))
    assert targets(shown.name, an_event(everything[0])) == (None, ()), "the copy with code, which tells no outcome"


@given(st.sampled_from(NAMES), st.sampled_from(["x", " ", "\n", "*", "/", "\u0663"]), st.booleans())
def test_a_name_with_anything_more_is_another_name(name: str, more: str, is_before: bool) -> None:
    assert candidates(more + name if is_before else name + more) == ()


@given(st.text(max_size=20), st.sampled_from(sorted(PATTERNS)))
def test_a_suffix_lets_in_what_its_pattern_lets_in_alone(text: str, pattern: str) -> None:
    route = Route("begin.*", suffix=pattern)
    assert route.matches(f"begin.{text}") == (PATTERNS[pattern].landed(text) is not None)
    assert not route.matches(text)


def test_long_names_are_not_looked_up() -> None:
    before = routing._candidates.cache_info().currsize
    assert candidates("x" * (MOST_NAME_CHARS + 1)) == ()
    assert routing._candidates.cache_info().currsize == before


@pytest.mark.parametrize(
    "path", sorted((DATA / "samples").glob("*/pass/*.json")), ids=lambda p: f"{p.parts[-3]}-{p.stem}"
)
def test_each_sample_is_routed_to_its_folder(path: Any) -> None:
    event = decode_event(json.dumps(json.loads(path.read_text())).encode())
    primary, attached = targets(contract_name(wire_name(event)), event)
    assert path.parts[-3] in (primary, *attached)
