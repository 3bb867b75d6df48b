"""What stands beside data in a folder: markers, checksums, notes, and files that are still being written.

One rule for folders, prefixes, globs and `--watch`. It names what is left
alone, not what is read: data may have any name, and a file that is read
and holds none is seen in quarantine, while one that is left alone could be lost.
A file that is named by itself is read whatever its name is.
"""

_BEING_WRITTEN = (
    ".tmp", ".temp", ".part", ".partial", ".inprogress", ".pending", ".crdownload", ".filepart", ".swp", ".swo",
    ".lock", ".lck", ".half", "._copying_", "_$folder$", "~", "#",
)  # fmt: skip
_BESIDE_DATA = (
    ".crc", ".md5", ".sha1", ".sha256", ".sha512", ".asc", ".sig", ".idx", ".done", ".ok", ".success", ".manifest",
    ".avsc", ".md", ".rst", ".html", ".htm", ".pdf", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".xml", ".py",
    ".sh", ".sql", ".mmdb", ".pem",
)  # fmt: skip
_STEMS = {
    "readme", "license", "licence", "notice", "changelog", "copying", "manifest", "checksums", "checksum", "md5sums",
    "sha1sums", "sha256sums", "sha512sums", "success", "thumbs", "desktop", "schema", "metadata", "index",
}  # fmt: skip
_STEM_SUFFIXES = {"", "txt", "json", "db", "ini"}


def is_side_file(parts: list[str]) -> bool:
    """Whether a file is left alone; its path below the folder, in parts. An empty name marks a folder in a store.

    Names that begin with a dot or underscore, of the file or of a folder on the way (`_SUCCESS`, `_temporary/`,
    `.DS_Store`); `_` with an `=` in it is a partition. Suffixes of what is being written or stands beside data. And
    README, manifest, checksums and the like.
    """
    if any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts):
        return True
    name = parts[-1].lower()
    if not name or name.endswith((*_BEING_WRITTEN, *_BESIDE_DATA)):
        return True
    stem, _, suffix = name.partition(".")
    return suffix in _STEM_SUFFIXES and (stem in _STEMS or stem.endswith(("-manifest", "_manifest", ".manifest")))
