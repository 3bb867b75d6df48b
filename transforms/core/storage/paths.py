"""Paths, local ones and URLs alike."""

from typing import Any

from transforms.core.storage.file_systems import is_local, open_fs


def file_system(path: str) -> Any:
    """The fsspec file system of a URL, for a library that reads through one itself."""
    return open_fs(path)[0]


def absolute(path: str) -> str:
    """The path as a worker in another folder finds it."""
    return local_path(path) if is_local(path) else path


def local_path(path: str) -> str:
    """The path of a local file without its scheme."""
    return str(open_fs(path)[1])


def join(folder: str, *names: str) -> str:
    """Path of something in a folder; works for URLs and local paths."""
    return "/".join([folder.rstrip("/"), *names])
