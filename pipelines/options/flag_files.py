"""Files that a flag names and that are read whole, up to a bound."""

from schemas.errors import InvalidOptions
from transforms.core import storage


def read_flag_file(flag: str, path: str, most_bytes: int) -> bytes:
    """The bytes of a file; raises as `read_at_most`, and InvalidOptions where it is not there."""
    if not storage.exists(path):
        raise InvalidOptions(f"{flag} {path}: no such file")
    return read_at_most(flag, path, most_bytes)


def read_at_most(flag: str, path: str, most_bytes: int) -> bytes:
    """The bytes of a file; raises StorageUnavailable where it cannot be read, InvalidOptions where it is larger."""
    with storage.open_read(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise InvalidOptions(f"{flag} {path}: larger than {most_bytes} bytes")
    return data
