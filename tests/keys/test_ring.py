"""What a ring in memory says of its keys."""

from datetime import UTC, datetime

from transforms.core.keys import keyring
from transforms.core.keys.lost import Lost
from transforms.core.keys.ring import SIGNING, KeyRing


def test_a_ring_of_version_1_has_nothing_that_signs() -> None:
    assert KeyRing(b"c" * 32, b"t" * 32).signer is None
    ring, _ = keyring.create()
    assert ring.signer
    assert ring.signer.retired == frozenset()
    assert SIGNING in ring.entries


def test_a_public_key_of_a_month_is_known_also_where_the_month_is_gone_and_nothing_is_proven() -> None:
    ring, _ = keyring.create()
    ring.add_month("2026-01")
    key = ring.public_key_of("prompts", "prompts", "2026-01")
    assert key == ring.readers["prompts"]["prompts"].public_keys.pop("2026-01")
    assert ring.public_key_of("prompts", "prompts", "2026-01") is None
    ring.not_proven = {"2026-01": {"prompts": key}}
    assert ring.public_key_of("prompts", "prompts", "2026-01") == key
    assert ring.public_key_of("prompts", "nobody", "2026-01") is None


def test_of_several_declarations_the_latest_is_told() -> None:
    ring, _ = keyring.create()
    at = datetime(2026, 3, 29, tzinfo=UTC)
    ring.lost = [Lost("prompts", ("2026-01",), at, "Carol"), Lost("prompts", ("2026-01", "2026-02"), at, "Dan")]
    found = ring.declared_lost("prompts", "2026-01")
    assert found
    assert found.declared_by == "Dan"
    assert ring.declared_lost("completions", "2026-01") is None
    ring.not_proven = {"2026-02": {"prompts": b"k" * 32}}
    assert [lost.declared_by for lost in ring.doubts("2026-02")] == ["Dan"]
    assert ring.doubts("2026-01") == []
