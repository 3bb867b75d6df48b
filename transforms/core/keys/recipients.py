"""One text sealed to several holders: each can open it, none of them reads of the others more than a name.

What is sealed to the one holder who bears the role's name stays plain HPKE, as it was before readers had names. For
others a fresh data key is sealed to each of them, and the text under it: mark, length of the heads (4 bytes), heads as
JSON (holder -> base64), AES-256-GCM of the text, to which the heads are bound.
"""

import base64
import json
from collections.abc import Mapping

from schemas.errors import KeyUnavailable
from transforms.core.keys.roles import role_context
from transforms.core.keys.seal import PieceSealer, generate_secret, open_sealed, seal_to

_MARK = b"\0sealed to several\0"
"""Plain HPKE begins with 32 random bytes: none will ever begin so."""


def seal_to_holders(public_keys: Mapping[str, bytes], key_id: str, plain: bytes) -> bytes:
    """Seals to the public key of each holder; bound to holders and key id."""
    data_key = generate_secret()
    sealed = {holder: seal_to(key, data_key, role_context(holder, key_id)) for holder, key in public_keys.items()}
    heads = json.dumps({holder: base64.b64encode(head).decode() for holder, head in sealed.items()}).encode()
    return b"".join((_MARK, len(heads).to_bytes(4, "big"), heads, PieceSealer(data_key).seal(plain, heads)))


def open_as(holder: str, key_id: str, private_key: bytes, sealed: bytes, place: str = "") -> bytes:
    """What was sealed to this holder, alone or among others; raises KeyUnavailable where it was not.

    `place` is the file for which it was sealed to the holder alone, where it was for one.
    """
    if not sealed.startswith(_MARK):
        return open_sealed(private_key, sealed, role_context(holder, key_id, place))
    begin = len(_MARK) + 4
    end = begin + int.from_bytes(sealed[begin - 4 : begin], "big")
    head = _head_of(holder, sealed[begin:end])
    data_key = open_sealed(private_key, head, role_context(holder, key_id))
    return PieceSealer(data_key).unseal(sealed[end:], sealed[begin:end])


def _head_of(holder: str, heads: bytes) -> bytes:
    try:
        found = json.loads(heads)
        head = base64.b64decode(found[holder], validate=True) if holder in found else None
    except (ValueError, TypeError, RecursionError):
        raise KeyUnavailable("what was sealed to several holders is damaged") from None
    if head is None:
        raise KeyUnavailable(f"{holder} had no key when this was written")
    return head
