"""The managed files of a tree and their digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping

RUNTIME_NAMES = frozenset({"__pycache__"})


class Entry:
    """One file of a tree: its path below the tree, the bit of its mode that matters, and the hash of its content.

    No dataclass, and none in the other modules of the agent: a host imports `dataclasses` as long as it looks at its
    live tree twice.

    :param kind: "file", "program" (an executable file), "link" or "other" (a pipe).
    :param content: SHA-256 of a file in hex, or the target of a link.
    :param stamp: what every write changes (size, times, inode): while it is the same, so is the content. Not compared.
    """

    __slots__ = ("content", "kind", "path", "stamp")

    def __init__(self, path: str, kind: str, content: str, stamp: str = "") -> None:
        self.path, self.kind, self.content, self.stamp = path, kind, content, stamp

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and self.line() == other.line()

    def __hash__(self) -> int:
        return hash(self.line())

    def __repr__(self) -> str:
        return f"Entry({self.path!r}, {self.kind!r}, {self.content!r}, {self.stamp!r})"

    @property
    def size(self) -> int:
        return int(self.stamp.split(":")[0])

    @property
    def written(self) -> int:
        """When somebody wrote to it last, in nanoseconds."""
        return int(self.stamp.split(":")[1])

    def line(self) -> str:
        return f"{self.kind} {self.content} {self.path}\n"


def hash_file(path: str) -> str:
    """Return the SHA-256 of the file at `path` in hex."""
    hasher = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - ten thousand files: Path costs more than the hash
        for block in iter(lambda: stream.read(1 << 20), b""):
            hasher.update(block)
    return hasher.hexdigest()


def kind_of(mode: int) -> str:
    """Return the kind of an entry by its mode."""
    if stat.S_ISLNK(mode):
        return "link"
    if not stat.S_ISREG(mode):
        return "other"
    return "program" if mode & stat.S_IXUSR else "file"


def mode_of(kind: str, file_mode: int) -> int:
    """Return the mode of a file in a release: who may read a program may run it."""
    return file_mode | (file_mode & 0o444) >> 2 if kind == "program" else file_mode


def stamp_of(info: os.stat_result) -> str:
    """Return what every write to a file changes."""
    return f"{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}:{info.st_ino}"


def entry_of(path: str, full: str, info: os.stat_result, known: Entry | None = None) -> Entry:
    """Return the entry `path` for the file at `full`; `known` saves the reading when nobody wrote to it since."""
    kind, stamp = kind_of(info.st_mode), stamp_of(info)
    if kind == "other":
        return Entry(path, kind, "", stamp)
    if known and known.kind == kind and known.stamp == stamp:
        return known
    return Entry(path, kind, os.readlink(full) if kind == "link" else hash_file(full), stamp)  # noqa: PTH115


def scan(root: str | os.PathLike[str], known: Mapping[str, Entry] | None = None) -> list[Entry]:
    """Return the files of the tree at `root`, sorted by path; what Python writes at run time is left out.

    Files whose stamp is that of the `known` entry are not read.
    """
    base, known, found, folders = os.fspath(root), known or {}, [], [""]
    while folders:
        below = folders.pop()
        with os.scandir(os.path.join(base, below)) as items:  # noqa: PTH118
            for item in items:
                path = below + item.name
                if item.is_dir(follow_symlinks=False):
                    folders += [] if item.name in RUNTIME_NAMES else [f"{path}/"]
                elif not item.name.endswith(".pyc"):
                    found.append(entry_of(path, item.path, item.stat(follow_symlinks=False), known.get(path)))
    return sorted(found, key=lambda entry: entry.path)


def digest(entries: Iterable[Entry]) -> str:
    """Return the digest of a tree: SHA-256 over path, kind and content of every managed file."""
    return hashlib.sha256("".join(entry.line() for entry in entries).encode("utf-8", "surrogateescape")).hexdigest()
