"""DuckDB over the files of an output: it reads them and nothing else, and asks no network for extensions."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from transforms.core import storage
from transforms.core.output.layout import Output


@contextmanager
def connected(output: Output, scratch: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads files of the output wherever it lies.

    What does not fit in memory is spilled to the folder `scratch`, which the caller removes.
    """
    with duckdb.connect() as connection:
        connection.execute(f"set temp_directory = '{scratch}'")
        connection.execute("set autoinstall_known_extensions = false")
        if not storage.is_local(output.path):
            connection.register_filesystem(storage.file_system(output.path))
        yield connection
