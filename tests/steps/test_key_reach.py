"""Least privilege: from each step, once it is set up, only the keys that it works with can be reached."""

import gc
import pickle
import types
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.internal.cloudpickle_pickler import dumps

from pipelines.ingest import Ingest, IngestSettings
from pipelines.options.ingest_flags import default_geo_database
from tests.conftest import KEY_RING
from transforms.core.keys.documents import key_text
from transforms.core.keys.keyring import KeyRing
from transforms.core.keys.pseudonyms import (
    CORRELATION_DOMAINS,
    PERSON_DOMAINS,
    derive_key,
    domain_key,
    landing_key,
    sent_key,
)
from transforms.core.keys.step_keys import step_keys_of
from transforms.core.output.layout import Output
from transforms.core.ranges import Range
from transforms.steps.read_payloads import ReadPayloads

QUARANTINE = {"payload", "public_keys.operators.standing"}


def reachable(root: object) -> Iterator[object]:
    """Everything that can be reached over references, but for what a module or a class holds."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        here = waiting.pop()
        yield here
        if isinstance(here, type | types.ModuleType | types.FrameType):
            continue
        if isinstance(here, types.FunctionType):
            found: list[Any] = [*(here.__closure__ or ()), here.__defaults__, here.__kwdefaults__]
        else:
            found = gc.get_referents(here)
        for each in found:
            if id(each) not in seen:
                seen.add(id(each))
                waiting.append(each)


def keys_in(root: object, named: dict[str, bytes]) -> set[str]:
    """The names of the keys whose bytes stand in what can be reached, as they are or as text."""
    shapes = {shape: name for name, key in named.items() for shape in (key, key_text(key).encode(), key.hex().encode())}
    found = set()
    for each in reachable(root):
        if isinstance(each, str):
            text = each.encode("utf-8", "surrogatepass")
        elif isinstance(each, bytes | bytearray):
            text = bytes(each)
        else:
            continue
        found |= {name for shape, name in shapes.items() if shape in text}
    return found


@pytest.fixture(scope="module")
def named(ring: KeyRing) -> dict[str, bytes]:
    """Every key of the ring by its place there, and every one that is derived of it."""
    derived = {
        name: derive_key(ring.correlation, name) for name in ("bucket", "payload", "check", "entries", "erased", "slot")
    }
    derived["pieces"] = derive_key(ring.transport, "pieces")
    derived["bucketer"] = domain_key(derived["bucket"], "installation")
    for domain in CORRELATION_DOMAINS:
        derived |= {
            f"{domain}.": domain_key(ring.correlation, domain),
            f"{domain}.sent": sent_key(ring.correlation, domain),
        }
    for month, secret in ring.epochs.items():
        derived |= {f"{domain}.{month}": domain_key(secret, domain) for domain in PERSON_DOMAINS}
        derived |= {f"landing.{domain}.{month}": landing_key(secret, domain) for domain in CORRELATION_DOMAINS}
    assert len({*ring.entries.values(), *derived.values()}) == len(ring.entries) + len(derived)
    return {**ring.entries, **derived}


def do_fns(output: str) -> dict[str, list[beam.DoFn]]:
    """The functions of the batch job's graph by step."""
    settings = IngestSettings(
        KEY_RING, Output(output), 16, 4, default_geo_database(), 15_000, timedelta(days=1), timedelta(minutes=30)
    )
    pipeline = beam.Pipeline("FnApiRunner")
    _ = pipeline | beam.Create([(Range("x", 0, None, 1, ""),)]) | ReadPayloads() | Ingest(settings)
    found: dict[str, list[beam.DoFn]] = {}

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node: Any) -> None:
            if isinstance(node.transform, beam.ParDo):
                names = node.full_label.split("/")
                found.setdefault(names[1] if names[0] == "Ingest" else names[0], []).append(node.transform.fn)

    pipeline.visit(Visitor())
    return found


def landing_of(named: dict[str, bytes]) -> set[str]:
    return {"slot", *(n for n in named if n.startswith("landing."))}


def allowed(step: str, named: dict[str, bytes]) -> set[str]:
    """Sealing keeps its key inside of the cipher, where no reference leads; it may be there."""
    if step == "DecodeEvents":
        return QUARANTINE
    if step == "ProtectEvents":
        return QUARANTINE | {"bucketer"} | {n for n in named if n.split(".")[0] in PERSON_DOMAINS | CORRELATION_DOMAINS}
    if step == "WriteDatasets":
        return landing_of(named) | {
            n for n in named if n.startswith(("public_keys.prompts.", "public_keys.completions."))
        }
    if step == "CurateEvents":
        return landing_of(named)
    return set()


def test_each_step_reaches_its_own_keys_and_no_other(named: dict[str, bytes], tmp_path: Any) -> None:
    steps = do_fns(str(tmp_path))
    assert {"DecodeEvents", "ProtectEvents", "SealBatches", "CurateEvents", "JoinSuggestions", "WriteDatasets"} <= {
        *steps
    }
    for step, fns in steps.items():
        for fn in fns:
            graph = dumps(fn)
            assert not keys_in(graph, named), f"{step} takes a key into the graph"
            fn.setup()
        assert keys_in(fns, named) == allowed(step, named), step


def test_a_step_that_only_seals_reaches_no_secret_of_a_month(named: dict[str, bytes], tmp_path: Any) -> None:
    (fn,) = do_fns(str(tmp_path))["SealBatches"]
    fn.setup()
    months = {n for n in named if n.startswith("epochs.") or n.split(".")[0] in PERSON_DOMAINS}
    assert len(months) > 20
    assert not months & keys_in(fn, named)


class Holder(NamedTuple):
    ring: KeyRing


def test_the_walk_finds_a_key_wherever_it_is_held(ring: KeyRing, named: dict[str, bytes]) -> None:
    """Else what is asked above would be true of anything."""
    fn = beam.DoFn()
    for hidden in (ring, Holder(ring), [{"x": (ring,)}], lambda: ring, partial(print, ring), ring.add_month,
                   MappingProxyType({"x": ring}), iter([ring])):  # fmt: skip
        fn.hidden = hidden
        assert keys_in(fn, named) == {*ring.entries}
    for written in (key_text(ring.transport), ring.transport.hex(), bytearray(b"x" + ring.transport)):
        fn.hidden = written
        assert keys_in(fn, named) == {"transport"}


def test_parts_of_the_ring_are_frozen_show_nothing_and_are_not_pickled(ring: KeyRing, named: dict[str, bytes]) -> None:
    parts = step_keys_of(ring)
    for part in (parts, parts.pseudonyms, parts.quarantine, parts.roles, parts.quarantine.operators, parts.sealer(),
                 parts.pseudonyms.bucketer(), parts.pseudonyms.id_pseudonymizer("event")):  # fmt: skip
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(part)
        with pytest.raises(TypeError, match="never pickled"):
            dumps(part)
        for shown in (repr(part), str(part), f"{part}", repr([part])):
            assert shown.strip("[]") == f"{type(part).__name__}()"
    for part, name in ((parts, "roles"), (parts.pseudonyms, "person_keys"), (parts.quarantine, "payload_key")):
        with pytest.raises(AttributeError):
            setattr(part, name, None)
    for mapping in (parts.pseudonyms.person_keys, parts.pseudonyms.sent_keys, parts.pseudonyms.unsent_keys, parts.roles.public_keys,
                    parts.roles.public_keys["prompts"], next(iter(parts.pseudonyms.person_keys.values()))):  # fmt: skip
        with pytest.raises(TypeError):
            mapping["2099-01"] = b""  # type: ignore[index]
