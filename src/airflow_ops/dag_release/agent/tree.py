"""The managed files of a tree and their digest."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

RUNTIME_NAMES = frozenset({"__pycache__"})
PACKAGE = "__init__.py"
NEIGHBOURS = ".neighbours"  # the folder of a tree for what is to lie beside it
IGNORE = f"{NEIGHBOURS}/.airflowignore"  # made on the host: Airflow looks for no DAGs there
# Names of what Airflow or Python would load, and of what tells Airflow where to look.
LOADED = (".py", ".pyc", ".pyo", ".so", ".zip", ".egg", ".whl", ".airflowignore")
GONE = (FileNotFoundError, NotADirectoryError)  # a task made and removed it while we looked


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
    # ten thousand files: Path costs more than the hash
    with open(path, "rb", buffering=0, opener=_open_file) as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            hasher.update(block)
    return hasher.hexdigest()


def _open_file(path: str, flags: int) -> int:
    """Open what was a file a moment ago, and now may be a link or a pipe: follow nothing and wait for nobody."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


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


class Found(NamedTuple):
    """What lies in a tree."""

    files: dict[str, os.stat_result]  # all that is no folder
    empty: list[str]  # folders with nothing in them, or such as this account cannot see


def walk(root: str | os.PathLike[str], skip: Container[str] = ()) -> Found:
    """Look at the tree at `root`, but for the files to `skip`; what Python writes at run time is left out."""
    found, folders = Found({}, []), [""]
    while folders:
        below, names = folders.pop(), 0
        try:
            with os.scandir(os.path.join(root, below)) as items:  # noqa: PTH118
                for names, item in enumerate(items, start=1):  # noqa: B007
                    path = below + item.name
                    if item.is_dir(follow_symlinks=False):
                        folders += [] if item.name in RUNTIME_NAMES else [f"{path}/"]
                    elif path not in skip and not item.name.endswith(".pyc") and path != IGNORE:
                        try:  # noqa: SIM105 - thousands of files, and nothing is faster
                            found.files[path] = item.stat(follow_symlinks=False)
                        except GONE:
                            pass
        except GONE:
            continue
        except PermissionError:
            names = 0
            if not below:
                raise
        if below and not names:
            found.empty.append(below[:-1])
    return found


def read(
    root: str | os.PathLike[str], files: Mapping[str, os.stat_result], known: Mapping[str, Entry] | None = None
) -> list[Entry]:
    """Return entries of some files of the tree at `root`, sorted by path.

    Files whose stamp is that of the `known` entry are not read.
    """
    base, known, entries = os.fspath(root), known or {}, []
    for path, info in sorted(files.items()):
        try:  # noqa: SIM105
            entries.append(entry_of(path, f"{base}/{path}", info, known.get(path)))
        except GONE:
            pass
    return entries


def scan(root: str | os.PathLike[str], known: Mapping[str, Entry] | None = None) -> list[Entry]:
    """Return all files of the tree at `root`."""
    return read(root, walk(root).files, known)


def folders_above(path: str) -> list[str]:
    """Return the folders in which a path lies below the tree, the topmost first."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


class Named:
    """The paths that are named by patterns in gitignore syntax, which the controller has turned into these pairs.

    :param patterns: whether the pattern names a path or takes it out again, and a regular expression.
    """

    def __init__(self, patterns: Iterable[tuple[bool, str]]) -> None:
        self.patterns = [(names, re.compile(text)) for names, text in patterns]  # re keeps what it has compiled

    def __contains__(self, path: object) -> bool:
        """Say whether a file is named: the last pattern counts, and one for a file more than one for its folder."""
        named, rank = False, 0
        for names, pattern in self.patterns:
            if match := pattern.match(str(path)):
                of_folder = bool(match.groupdict().get("ps_d"))
                if (names and of_folder) or 2 - of_folder >= rank:
                    named, rank = names, 2 - of_folder
        return named


def runtime_files(paths: Iterable[str], brought: Container[str], named: Container[str] = ()) -> set[str]:
    """Return which files of a tree belong to the host and not to a release: what tasks have written there.

    They are those that no source brought and that neither Airflow nor Python would load, and those that are `named`. A
    file of a package that no source brought is loaded with it.
    """
    free = [path for path in paths if path not in brought]
    own = {path for path in free if path in named}
    left = [path for path in free if path not in own]
    packages = {folder for folder, _, name in (path.rpartition("/") for path in left) if folder and name == PACKAGE}
    loaded = (path for path in left if path.lower().endswith(LOADED) or packages.intersection(folders_above(path)))
    return own.union(left).difference(loaded)


def digest(entries: Iterable[Entry]) -> str:
    """Return the digest of a tree: SHA-256 over path, kind and content of every managed file."""
    return hashlib.sha256("".join(entry.line() for entry in entries).encode("utf-8", "surrogateescape")).hexdigest()
