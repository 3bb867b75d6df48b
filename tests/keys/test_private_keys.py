"""A role's key file is believed only where it is whole, sound and nobody else's."""

import json
import pickle
from pathlib import Path

import pytest

from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.private_keys import PrivateKeys, dump_private, load_private
from transforms.core.keys.roles import ROLES, STANDING
from transforms.core.keys.seal import generate_key_pair


def keys_of(role: str) -> PrivateKeys:
    names = [STANDING] if role == "operators" else ["2026-03", "2026-04"]
    return PrivateKeys(role, {name: generate_key_pair()[0] for name in names})


@pytest.mark.parametrize("role", ROLES)
def test_what_is_written_is_read(tmp_path: Path, role: str) -> None:
    keys = keys_of(role)
    storage.write_private(f"{tmp_path}/role.json", dump_private(keys))
    again = load_private(f"{tmp_path}/role.json")
    assert (again.role, again.keys) == (keys.role, keys.keys)
    for key in keys.keys.values():
        assert key.hex() not in repr(again)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(again)


def written(path: Path, document: object) -> str:
    storage.write_private(str(path), json.dumps(document).encode())
    return str(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"role": "analysts"}, "roles are prompts, completions, operators"), ({"role": None}, "roles are"),
     ({"private_keys": []}, "private_keys"), ({"private_keys": {"2026-13": "x"}}, "is not a role key file"),
     ({"version": 3}, "version"), ({"more": 1}, "is not a role key file")],
    ids=str,
)  # fmt: skip
def test_what_is_none_is_refused_in_one_line(tmp_path: Path, change: dict, told: str) -> None:
    document = json.loads(dump_private(keys_of("prompts"))) | change
    with pytest.raises(KeyUnavailable, match=told) as refused:
        load_private(written(tmp_path / "role.json", document))
    assert "\n" not in str(refused.value)
    for key in json.loads(dump_private(keys_of("prompts")))["private_keys"].values():
        assert key not in str(refused.value)


def test_one_key_under_two_months_is_refused(tmp_path: Path) -> None:
    document = json.loads(dump_private(keys_of("prompts")))
    document["private_keys"]["2026-04"] = document["private_keys"]["2026-03"]
    with pytest.raises(KeyUnavailable):
        load_private(written(tmp_path / "role.json", document))


def test_a_month_of_the_operators_is_refused(tmp_path: Path) -> None:
    document = json.loads(dump_private(keys_of("prompts"))) | {"role": "operators"}
    with pytest.raises(KeyUnavailable):
        load_private(written(tmp_path / "role.json", document))


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "role.json"
    storage.write_private(str(path), dump_private(keys_of("prompts")))
    path.chmod(0o620)
    with pytest.raises(KeyUnavailable, match="may"):
        load_private(str(path))


def test_no_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match=r"no role key file at .*: python -m pipelines.keys create"):
        load_private(f"{tmp_path}/none.json")
