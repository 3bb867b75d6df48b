"""Roles: who may open what, and under which name a role's key stands."""

ROLES = ("prompts", "completions", "operators")
"""Who may open what: prompts and captured code, completion text, quarantined payloads."""

OPERATORS = "operators"

STANDING = "standing"
"""The operators' key id; their key is not monthly, because a payload may have no date."""


def role_context(role: str, key_id: str) -> bytes:
    """What is bound to everything that is sealed to a role: it opens as this role's and key id's only."""
    return f"{role}@{key_id}".encode()
