"""Private keys of the roles that read code and quarantine, and which of them a change needs."""

from collections.abc import Iterable, Mapping

from schemas.errors import InvalidOptions
from schemas.registry import load
from transforms.core.keys.private_keys import PrivateKeys, load_private
from transforms.core.keys.role_encryption import columns_by_role

SNIPPETS = "snippets"


def load_keys(paths: Iterable[str]) -> dict[str, PrivateKeys]:
    """The keys of these files by role. Raises KeyUnavailable; InvalidOptions where two are of one role."""
    found: dict[str, PrivateKeys] = {}
    for path in paths:
        keys = load_private(path)
        if keys.role in found:
            raise InvalidOptions(
                f"--private_key {path}: a second one of the role {keys.role}; one of each role will do"
            )
        found[keys.role] = keys
    return found


def missing_keys(months: Iterable[str], keys: Mapping[str, PrivateKeys]) -> list[str]:
    """The key of each role and month that the code of these months needs and that is not given."""
    roles = sorted(columns_by_role(load(SNIPPETS)))
    wanted = [(month, role) for month in sorted({*months}) for role in roles]
    return [f"{role} of {month}" for month, role in wanted if role not in keys or month not in keys[role].keys]


def check_keys(needed: list[str]) -> None:
    """Raises InvalidOptions where a key is missing: nothing is changed then."""
    if needed:
        raise InvalidOptions(
            "code of other people lies in the same files, and only its readers can write it anew: give --private_key "
            f"for {', '.join(needed)}; nothing was changed"
        )
