"""The only door to files: local paths, gs:// and s3:// alike, through fsspec.

Every function raises StorageUnavailable, naming the path and the cause's kind,
where the storage refuses. Only `file_systems` knows fsspec.
"""

from transforms.core.storage.fetched import fetched_once, forget_fetched
from transforms.core.storage.file_systems import explained, is_local, open_read
from transforms.core.storage.files import (
    can_hold_files,
    exists,
    list_files,
    list_folders,
    list_sizes,
    opened_local,
    read_bytes,
    read_start,
    written_at,
)
from transforms.core.storage.halves import is_half, sweep
from transforms.core.storage.paths import absolute, file_system, join, local_path
from transforms.core.storage.source_files import (
    InputFiles,
    SourceFile,
    check_unchanged,
    each_once,
    expand_inputs,
    input_digest,
    lies_in,
    list_tree,
    whole_folder,
)
from transforms.core.storage.whole_tree import Entry, file_digest, whole_tree
from transforms.core.storage.writing import (
    create_exclusive,
    create_whole,
    remove,
    remove_at_once,
    remove_empty,
    remove_tree,
    write_atomic,
    write_private,
)

__all__ = [
    "Entry",
    "InputFiles",
    "SourceFile",
    "absolute",
    "can_hold_files",
    "check_unchanged",
    "create_exclusive",
    "create_whole",
    "each_once",
    "exists",
    "expand_inputs",
    "explained",
    "fetched_once",
    "file_digest",
    "file_system",
    "forget_fetched",
    "input_digest",
    "is_half",
    "is_local",
    "join",
    "lies_in",
    "list_files",
    "list_folders",
    "list_sizes",
    "list_tree",
    "local_path",
    "open_read",
    "opened_local",
    "read_bytes",
    "read_start",
    "remove",
    "remove_at_once",
    "remove_empty",
    "remove_tree",
    "sweep",
    "whole_folder",
    "whole_tree",
    "write_atomic",
    "write_private",
    "written_at",
]
