"""Ingestion keys: which files are taken, and what a key stands for."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collector.ingestion_keys import Standing, load_keys, plain_key
from schemas.errors import InvalidOptions
from tests.support.collectors import TENANT_KEY


def test_spellings_of_a_key_are_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": {TENANT_KEY.upper(): {"telemetry_level": "crash"}}}))
    assert load_keys(str(path)) == {"0" * 32: Standing("crash", False)}


WRONG_KEYS = {
    "missing": None,
    "no TOML": "keys = [",
    "no keys": "[keys]",
    "a level of another name": '[keys.a]\ntelemetry_level = "usage"',
    "consent as a word": '[keys.a]\nsnippet_consent = "yes"',
    "a member of another name": "[keys.a]\nlevel = 1",
    "one key twice": f'[keys."o:{"0" * 32}"]\n[keys.{TENANT_KEY}]',
    "an empty key": '[keys.""]',
    "written by anybody": "[keys.a]",
}


@pytest.mark.parametrize("kind", WRONG_KEYS)
def test_a_wrong_file_of_keys_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "keys.toml"
    if WRONG_KEYS[kind] is not None:
        path.write_text(WRONG_KEYS[kind])
        path.chmod(0o666 if kind == "written by anybody" else 0o600)
    with pytest.raises(InvalidOptions) as refused:
        load_keys(str(path))
    assert str(refused.value).startswith(f"--ingestion_keys {path}: ")
    assert "\n" not in str(refused.value)
    assert "0" * 32 not in str(refused.value)


LEVELS = ["all", "error", "crash", "off", None]


@pytest.mark.parametrize("own", LEVELS)
@pytest.mark.parametrize("default", LEVELS)
@pytest.mark.parametrize("consents", [(a, b) for a in (True, False, None) for b in (True, False, None)])
def test_what_a_key_stands_for_where_it_or_the_default_is_silent(
    tmp_path: Path, own: str | None, default: str | None, consents: tuple[bool | None, bool | None]
) -> None:
    """Nobody said anything: level off, no consent."""
    entry = {k: v for k, v in (("telemetry_level", own), ("snippet_consent", consents[0])) if v is not None}
    rest = {k: v for k, v in (("telemetry_level", default), ("snippet_consent", consents[1])) if v is not None}
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"default": rest, "keys": {"a": entry}}))
    path.chmod(0o600)
    consent = consents[0] if consents[0] is not None else bool(consents[1])
    assert load_keys(str(path)) == {"a": Standing(own or default or "off", consent)}


@given(st.text(max_size=60))
def test_one_spelling_of_a_key_is_its_own_spelling(key: str) -> None:
    plain = plain_key(key)
    assert plain_key(plain) in (plain, plain.removeprefix("o:").strip()), "o:o: is not stripped twice"
    assert plain_key(f" {key.upper()} ") == plain_key(key.upper())


def test_a_tenants_key_is_its_first_32_digits_and_a_guid_is_whole() -> None:
    tenant, guid = "0123456789abcdef" * 2, "01234567-89ab-cdef-0123-456789abcdef"
    assert {plain_key(k) for k in (tenant, f"o:{tenant}", f"{tenant}-{guid}-7", f" O:{tenant.upper()} ")} == {tenant}
    assert plain_key(guid) == guid
    assert plain_key(f"{tenant}x") == f"{tenant}x", "no prefix of a longer key lets it in"
