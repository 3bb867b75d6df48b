"""Recovers acknowledged requests from the hidden files of processes that were killed."""

import fcntl
import os

from pipelines.collector import avro_blocks
from pipelines.collector.growing_file import HIDDEN_END, HIDDEN_START, sync_folder


def recover(folder: str) -> int:
    """Gives every file that was left behind its visible name; returns how many records they hold.

    A block that was cut off is dropped: its write did not end, so nothing of it
    was acknowledged. A file that is damaged before its end is handed on as it
    is, so that the jobs count the damage. One that another process is writing is left alone.
    May raise OSError.
    """
    records = 0
    for name in sorted(os.listdir(folder)):
        if name.startswith(HIDDEN_START) and name.endswith(HIDDEN_END):
            records += _recover_file(folder, name)
    return records


def _recover_file(folder: str, name: str) -> int:
    path = os.path.join(folder, name)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # its process was just ending
        return 0
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.exists(path):
            return 0
        return _publish(folder, name, fd)
    except BlockingIOError:
        return 0
    finally:
        os.close(fd)


def _publish(folder: str, name: str, fd: int) -> int:
    path = os.path.join(folder, name)
    try:
        whole = avro_blocks.whole_part(path)
    except ValueError:  # the header is written and synced before the first record
        os.unlink(path)
        return 0
    if whole.is_cut and not whole.records:
        os.unlink(path)
        return 0
    if whole.is_cut:
        os.ftruncate(fd, whole.end)
        os.fsync(fd)
    os.replace(path, os.path.join(folder, name[1:].removesuffix(".half")))
    sync_folder(folder)
    return whole.records
