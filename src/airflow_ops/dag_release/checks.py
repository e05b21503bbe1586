"""What is wrong with a tree, found on the controller before any host is touched."""

from __future__ import annotations

import errno
import json
import os
import stat
import unicodedata
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from airflow_ops.dag_release import links
from airflow_ops.dag_release.agent.beside import IGNORE_ALL, PLUGINS
from airflow_ops.dag_release.agent.tree import NEIGHBOURS
from airflow_ops.dag_release.discovery import (
    AIRFLOW_IGNORE,
    UNREADABLE,
    Ignored,
    Sources,
    loaded,
    loaded_from_archive,
    rule,
)
from airflow_ops.dag_release.plan import Source
from airflow_ops.dag_release.tree import origins

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_SIZE = 1024  # bytes, by its specification


@dataclass
class Findings:
    """What is wrong with a tree, one sentence a finding with its path; nothing is a good tree.

    :param refused: what no host could take.
    :param wrong: what Airflow would stumble over, by the file; the same file may be live already.
    :param warnings: what nobody but the DAGs themselves reads.
    """

    refused: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        return [*self.refused, *self.wrong.values()]


def findings(files: Mapping[str, Path], source: Source) -> Findings:
    """Return what is wrong with the files of a release, apart from its links.

    :param files: files by their path in the release.
    """
    found, plain = Findings(), []
    for name, path in files.items():
        refused = name_findings(name) or _file_findings(name, path, source)
        found.refused += refused
        if not (refused or path.is_symlink()):
            plain.append(name)
    found.refused += collisions(files, source)
    checked = [name for name in plain if not source.unchecked(name)]
    if "lfs" not in source.skip_checks:
        found.refused += pointers({name: files[name] for name in checked})
    _Contents({name: files[name] for name in plain}, source).check(checked, found)
    return found


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


def link_findings(names: Iterable[str], targets: Mapping[str, str], source: Source) -> dict[str, str]:
    """Return what is wrong with the links of a release, by their path.

    :param names: all paths of the release.
    :param targets: the targets of its links.
    """
    if "links" in source.skip_checks or not targets:
        return {}
    walks = {"": airflow_ignore(source).folder, f"{NEIGHBOURS}/{PLUGINS}": plugins_ignore(source).folder}
    return links.findings(names, targets, walks)


def airflow_ignore(source: Source) -> Ignored:
    """Return what the .airflowignore files of a source hide from Airflow, where it looks for DAGs."""
    return Ignored({**_ignore_texts(source.folder), NEIGHBOURS: IGNORE_ALL}, source.airflow_ignore_syntax)


def plugins_ignore(source: Source) -> Ignored:
    """Return what is hidden from Airflow where it looks for plugins; paths are those below their folder."""
    folder = source.beside.get(PLUGINS)
    return Ignored(_ignore_texts(folder) if folder else {}, source.airflow_ignore_syntax)


def _ignore_texts(root: Path) -> dict[str, str]:
    texts = {}
    for path in root.rglob(AIRFLOW_IGNORE):
        with suppress(OSError, UnicodeDecodeError):
            texts[path.relative_to(root).as_posix().rpartition("/")[0]] = path.read_text("utf-8")
    return texts


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
        return []
    if not stat.S_ISREG(info.st_mode):
        return [f"{name} is neither a file, a folder nor a link"]
    if info.st_size > source.max_file_size:
        limit = source.max_file_size >> 20
        return [f"{name} has {info.st_size >> 20} MiB, the limit is {limit} (dag_release_max_file_size)"]
    if not os.access(path, os.R_OK):
        return [f"{name} cannot be read: {os.strerror(errno.EACCES)}"]
    return []


class _Contents:
    """The contents of a tree's files, as far as Airflow and others can read them."""

    def __init__(self, files: Mapping[str, Path], source: Source) -> None:
        self.files, self.source = files, source

    @cached_property
    def ignored(self) -> Ignored:
        return airflow_ignore(self.source)

    def check(self, names: Iterable[str], found: Findings) -> None:
        """Add what is wrong with some files."""
        python: dict[str, str] = {}
        with warnings.catch_warnings(action="ignore"):  # of the compiler
            for name in names:
                try:
                    self._check_one(name, found, python)
                except OSError as error:
                    found.refused.append(f"{name} cannot be read: {error.strerror}")
        if python:
            tree = {**origins(self.source), **self.files}  # of single files, too, which others may import
            modules = {name: path for name, path in tree.items() if name.endswith(".py") and path.is_file()}
            sources: Sources = {name: path.read_bytes for name, path in modules.items()}
            used = loaded(sources, self.ignored, self.source.safe_mode)
            prefix = f"{NEIGHBOURS}/{PLUGINS}/"
            plugins = {name.removeprefix(prefix): read for name, read in sources.items() if name.startswith(prefix)}
            used |= {f"{prefix}{name}" for name in loaded(plugins, plugins_ignore(self.source), safe_mode=False)}
            found.wrong |= {name: text for name, text in python.items() if name in used}
            found.warnings += [f"{text}; Airflow does not load it" for name, text in python.items() if name not in used]

    def _check_one(self, name: str, found: Findings, python: dict[str, str]) -> None:
        path, skipped = self.files[name], self.source.skip_checks
        if path.name == AIRFLOW_IGNORE:
            if "airflowignore" not in skipped and (lines := self._ignore_findings(name, path)):
                found.wrong[name] = "; ".join(lines)
        elif path.suffix == ".json":
            if "json" not in skipped and (text := json_finding(name, path)):
                found.warnings.append(text)
        elif "python" in skipped:
            pass
        elif path.suffix == ".py":
            if text := python_finding(name, path.read_bytes()):
                python[name] = text
        elif zipfile.is_zipfile(path) and not self.ignored.hides(name):
            texts = list(archive_findings(name, path, self.source.safe_mode))
            found.wrong |= {name: "; ".join(texts)} if texts else {}

    def _ignore_findings(self, name: str, path: Path) -> list[str]:
        try:
            return ignore_findings(name, path.read_text("utf-8").splitlines(), self.source.airflow_ignore_syntax)
        except UnicodeDecodeError as error:
            return [f"{name} is no UTF-8: {error}"]


def python_finding(name: str, source: bytes) -> str | None:
    """Return why Python cannot compile a file."""
    try:
        compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"{name}:{error.lineno or 1} does not compile: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{name} does not compile: {error}"
    return None


def json_finding(name: str, path: Path) -> str | None:
    """Return why a file is no JSON, which a template or a file of lines need not be."""
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{name} is no JSON: {error}"
    return None


def archive_findings(name: str, path: Path, safe_mode: bool) -> Iterator[str]:
    """Yield what is wrong with the modules that Airflow loads from a zip archive."""
    try:
        modules = loaded_from_archive(path, safe_mode)
    except UNREADABLE as error:
        yield f"{name} is a damaged archive, from which Airflow would load DAGs: {error}"
        return
    for member, source in modules.items():
        if text := python_finding(f"{name}/{member}", source):
            yield text


def ignore_findings(name: str, lines: Iterable[str], syntax: str) -> list[str]:
    """Return the lines of Airflow's ignore file that it could not use."""
    found = []
    for number, line in enumerate(lines, 1):
        try:
            rule(line, syntax)
        except ValueError as error:
            found.append(f"{name}:{number} is no {syntax}: {error}")
    return found


def collisions(names: Iterable[str], source: Source) -> list[str]:
    """Return names of files or folders that are one name on some file systems."""
    if "names" in source.skip_checks:
        return []
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
