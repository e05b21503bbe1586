"""What is wrong with a tree, found on the controller before any host is touched."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from pathspec import GitIgnoreSpec

from airflow_ops.dag_release.plan import Source

AIRFLOW_IGNORE = ".airflowignore"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_SIZE = 1024  # bytes, by its specification


def findings(files: Mapping[str, Path], source: Source) -> list[str]:
    """Return what is wrong with the files of a release, one sentence a finding with its path; none is a good tree.

    :param files: files by their path in the release.
    """
    found = []
    with warnings.catch_warnings(action="ignore"):  # of the compiler
        for name, path in files.items():
            found += name_findings(name) or _file_findings(name, path, source)
    return found + pointers(files) + _dangling(files, source.folder.resolve()) + collisions(files)


def pointers(files: Mapping[str, Path]) -> list[str]:
    """Return the files that Git LFS holds and nobody fetched: a pointer of a few lines stands for their content."""
    small = (name for name, path in files.items() if path.is_file() and path.stat().st_size <= LFS_SIZE)
    return [
        f"{name} is a Git LFS pointer and not the file itself; install git-lfs on the controller, or run git lfs pull "
        "in the folder"
        for name in small
        if os.access(files[name], os.R_OK) and files[name].read_bytes().startswith(LFS_POINTER)
    ]


def named_as_runtime(files: Iterable[str], named: Container[str]) -> list[str]:
    """Return the files that belong to the hosts by their names, so that no release can bring them."""
    return [
        f"{name} is each host's own by dag_release_runtime; leave it out of the source, or out of the patterns"
        for name in files
        if name in named
    ]


def _dangling(files: Mapping[str, Path], root: Path) -> list[str]:
    """Return the links to what is there and does not travel."""
    links = {name: path for name, path in files.items() if path.is_symlink()}
    if not links:
        return []
    travels = {str(parent) for name in files for parent in [Path(name), *Path(name).parents]}
    return [
        f"{name} is a link to {path.readlink()}, which is ignored and does not travel"
        for name, path in links.items()
        if path.exists() and path.resolve().is_relative_to(root)
        if str(path.resolve().relative_to(root)) not in travels
    ]


def name_findings(name: str) -> list[str]:
    """Return what is wrong with a name."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in name):
        return [f"{name!r} has a control character in its name"]
    try:
        name.encode()
    except UnicodeEncodeError:
        return [f"{name!r} is no UTF-8"]
    return []


def _file_findings(name: str, path: Path, source: Source) -> list[str]:
    try:
        info = path.lstat()
    except FileNotFoundError:
        return [f"{name} was deleted while it was read"]
    if stat.S_ISLNK(info.st_mode):
        return _link_findings(name, path, source.folder)
    if not stat.S_ISREG(info.st_mode):
        return [f"{name} is neither a file, a folder nor a link"]
    if info.st_size > source.max_file_size:
        limit = source.max_file_size >> 20
        return [f"{name} has {info.st_size >> 20} MiB, the limit is {limit} (dag_release_max_file_size)"]
    if not os.access(path, os.R_OK):
        return [f"{name} cannot be read: {os.strerror(errno.EACCES)}"]
    return content_findings(name, path, source.airflow_ignore_syntax)


def _link_findings(name: str, path: Path, root: Path) -> list[str]:
    target = path.readlink()
    if target.is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        return [f"{name} is a link that leaves the tree (to {target})"]
    return [] if path.exists() else [f"{name} is a link that leads nowhere (to {target})"]


def content_findings(name: str, path: Path, ignore_syntax: str) -> list[str]:
    """Return why a file cannot be read by those that will."""
    try:
        if path.suffix == ".py":
            compile(path.read_bytes(), name, "exec", dont_inherit=True)
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.name == AIRFLOW_IGNORE:
            return ignore_findings(name, path.read_text("utf-8").splitlines(), ignore_syntax)
    except SyntaxError as error:
        return [f"{name}:{error.lineno or 1} does not compile: {error.msg}"]
    except OSError as error:
        return [f"{name} cannot be read: {error.strerror}"]
    except (ValueError, RecursionError, MemoryError) as error:
        return [f"{name} does not parse: {error}"]
    return []


def ignore_findings(name: str, lines: Iterable[str], syntax: str) -> list[str]:
    """Return the lines of Airflow's ignore file that it could not use."""
    found = []
    for number, line in enumerate(lines, 1):
        pattern = re.sub(r"\s*#.*", "", line)
        try:
            GitIgnoreSpec.from_lines([line]) if syntax == "glob" else re.compile(pattern)
        except (re.error, ValueError) as error:
            found.append(f"{name}:{number} is no {syntax}: {error}")
    return found


def collisions(names: Iterable[str]) -> list[str]:
    """Return names of files or folders that are one name on some file systems."""
    same: dict[str, set[str]] = defaultdict(set)
    for name in names:
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            same[unicodedata.normalize("NFC", path).casefold()].add(path)
    return [
        f"{' and '.join(sorted(group))} differ only by case or Unicode form"
        for group in same.values()
        if len(group) > 1
    ]


def files_as_folders(names: Iterable[str]) -> list[str]:
    """Return names that are a file and, for another file, a folder."""
    have = set(names)
    folders = {str(parent) for name in have for parent in Path(name).parents}
    return [f"{name} is a file and a folder" for name in sorted(have & folders)]


def unreadable(file_mode: int, folder_mode: int) -> list[str]:
    """Return why modes do not serve: the account and the group, in which tasks run as other users are, must read."""
    wanted = {"dag_release_file_mode": (file_mode, 0o440), "dag_release_folder_mode": (folder_mode, 0o750)}
    return [
        f"{name} is {mode:04o}, account and group must be able to {'enter' if 'folder' in name else 'read'}"
        for name, (mode, least) in wanted.items()
        if mode & least != least
    ]
