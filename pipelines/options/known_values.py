"""The operator's file of known values, `--known_values`."""

import tomllib

from pipelines.options.flag_files import read_flag_file
from schemas.errors import InvalidOptions
from schemas.known_values import PACKAGED, Vocabulary, vocabulary_of

_MOST_BYTES = 4 * 1024 * 1024


def read_vocabulary(path: str | None) -> Vocabulary:
    """The packaged lists, and what the file adds to them: TOML, list name -> array of texts.

    Raises StorageUnavailable where it cannot be read, InvalidOptions where it is
    not there, is no TOML or holds what `schemas.known_values.vocabulary_of` refuses.
    """
    if path is None:
        return PACKAGED
    data = read_flag_file("--known_values", path, _MOST_BYTES)
    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise InvalidOptions(
            f'--known_values {path}: {type(cause).__name__}; allowed is TOML such as models = ["our-model-1"]'
        ) from None
    return vocabulary_of(document, f"--known_values {path}")
