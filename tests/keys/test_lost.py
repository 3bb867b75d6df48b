"""Declarations that a key file is lost: signed, altered by nobody, and of no holder who has no monthly keys."""

import json
from datetime import UTC, datetime

import pytest

from schemas.errors import InvalidOptions, KeyUnavailable
from transforms.core.keys import keyring
from transforms.core.keys.documents import Unsound
from transforms.core.keys.lost import Lost, check_name, lost_of, lost_text, not_proven_of
from transforms.core.keys.signing import Signer

SIGNER = Signer(b"s" * 31 + b"1")
LOST = Lost("completions/alice", ("2026-01", "2026-02"), datetime(2026, 3, 29, tzinfo=UTC), "Carol Smith").signed(
    SIGNER
)


def test_a_declaration_is_read_as_it_was_written_and_tells_what_is_known() -> None:
    assert lost_of(json.loads(json.dumps(lost_text([LOST])))) == [LOST]
    assert LOST.told == "the key file of completions/alice was declared lost on 2026-03-29 by Carol Smith"
    assert LOST.fact in LOST.told
    assert "Carol" not in LOST.fact
    assert LOST.is_signed([Signer(b"s" * 31 + b"2").public_key, SIGNER.public_key])


@pytest.mark.parametrize(
    "change",
    [{"holder": "prompts"}, {"months": ("2026-01",)}, {"declared_by": "Dan"}, {"declared_at": datetime(2026, 3, 28, tzinfo=UTC)}],
)  # fmt: skip
def test_no_part_of_it_can_be_another_one(change: dict[str, object]) -> None:
    assert not LOST._replace(**change).is_signed([SIGNER.public_key])  # type: ignore[arg-type]


def test_a_ring_with_one_that_nobody_signed_is_unsound() -> None:
    ring, _ = keyring.create()
    ring.lost.append(LOST)
    with pytest.raises(
        KeyUnavailable, match=r"the key file of completions/alice is lost was not signed with this ring"
    ):
        keyring.parse(keyring.dumps(ring), "somewhere")
    assert ring.signer
    ring.lost = [LOST.signed(ring.signer)]
    ring.add_month("2026-01")
    assert keyring.parse(keyring.dumps(ring), "somewhere").lost == ring.lost
    ring.not_proven = {"2026-01": {"completions/alice": b"k" * 31 + b"1"}}
    with pytest.raises(KeyUnavailable, match="not_proven names 2026-01 without a reason"):
        keyring.parse(keyring.dumps(ring), "somewhere")


TEXT = lost_text([LOST])[0]


@pytest.mark.parametrize(
    "value",
    [None, {}, [7], [{}], *([{**TEXT, **change}] for change in (
        {"more": 1}, {"holder": "operators"}, {"holder": "completions/"}, {"holder": "completions/completions"},
        {"holder": "nobody/alice"}, {"holder": 7}, {"months": ["2026-13"]}, {"declared_by": ""}, {"declared_by": "a\nb"},
        {"declared_at": "now"}, {"signature": "AAAA"},
    ))],
)  # fmt: skip
def test_anything_else_is_unsound(value: object) -> None:
    assert lost_of([TEXT])
    with pytest.raises(Unsound):
        lost_of(value)


@pytest.mark.parametrize(
    "value", [None, [], {"2026-01": {}}, {"2026-13": {"prompts": "x"}}, {"2026-01": {"prompts": "x"}}]
)
def test_what_names_no_key_of_a_month_is_unsound(value: object) -> None:
    with pytest.raises(Unsound):
        not_proven_of(value)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[2K", "x" * 121])
def test_what_is_no_name_is_refused(name: str) -> None:
    assert check_name(" Carol Smith ") == "Carol Smith"
    with pytest.raises(InvalidOptions, match="--by: allowed are"):
        check_name(name)
