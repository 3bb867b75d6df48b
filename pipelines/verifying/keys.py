"""Which public key the last manifests are held against, and what that proves."""

from pipelines.verifying.witness import Witness
from schemas.errors import KeyUnavailable
from transforms.core import storage
from transforms.core.keys.public_key import read_public_key, shown_key
from transforms.core.output.layout import PUBLIC_KEY_FILE, Output


def chosen_key(output: Output, given: str | None, witness: Witness | None) -> tuple[bytes, str]:
    """The key, and the line for people that says where it comes from; raises KeyUnavailable where there is none."""
    if given is not None:
        key = read_public_key(given)
        return key, f"held against the public key {shown_key(key)} of {given}"
    if witness is not None:
        return witness.key, f"held against the public key {shown_key(witness.key)} that the witness remembers"
    path = output.beside(PUBLIC_KEY_FILE)
    if not storage.exists(path):
        raise KeyUnavailable(f"{path} is not there: give --public_key; keys list prints the public key of a ring")
    key = read_public_key(path)
    return key, (
        f"held against the public key {shown_key(key)} that lies in the output: who could replace it could sign "
        "anything; give --public_key or --witness"
    )
