"""Values that a client has cut into parts of 8,192 UTF-16 units each."""

from typing import Any

_MAX_PARTS = 50


def join_split_values(properties: dict[str, Any]) -> dict[str, Any]:
    """`key`, `key_02`, `key_03`, … put together under `key`.

    Parts are joined only if they are strings, and only up to the first number
    that is missing; everything else stays as it is. Parts may stand in any order.
    A cut may go through a character, whose halves then meet again.
    """
    joined = dict(properties)
    for name, value in properties.items():
        if not isinstance(value, str) or not isinstance(properties.get(f"{name}_02"), str):
            continue
        parts = [value]
        for number in range(2, _MAX_PARTS + 1):
            part = properties.get(f"{name}_{number:02d}")
            if not isinstance(part, str):
                break
            parts.append(part)
            joined.pop(f"{name}_{number:02d}", None)
        joined[name] = "".join(parts)
    return joined
