"""The controller's side of a tree: what belongs into a release, how two trees differ, and the copy that travels."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pathspec import GitIgnoreSpec

from airflow_ops.dag_release.agent.tree import Entry, scan, stamp_of
from airflow_ops.dag_release.plan import Source, id_time

# Files and folders that are never part of a release: what Python, editors and version control write.
ALWAYS_IGNORED = re.compile(
    r"__pycache__|.*\.py[co]|\.git(ignore|attributes|modules|keep)?|\.svn|\.hg|\.idea|\.vscode|\.DS_Store|\..+_cache|.*~|.*\.sw[op]|#.*#"
)


@dataclass(frozen=True)
class Delta:
    """The names in which two trees differ, each sorted."""

    added: list[str]
    changed: list[str]
    removed: list[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def lines(self, what: str = "") -> list[str]:
        """Return one line a name, as a diff shows it."""
        signs = (("+", self.added), ("~", self.changed), ("-", self.removed))
        return [f"{sign} {what}{name}" for sign, names in signs for name in names]


def compare(have: Mapping[str, object], want: Mapping[str, object]) -> Delta:
    """Return what has to change so that `have` becomes `want`."""
    return Delta(
        added=sorted(want.keys() - have.keys()),
        changed=sorted(name for name in want.keys() & have.keys() if want[name] != have[name]),
        removed=sorted(have.keys() - want.keys()),
    )


def delta(have: Iterable[Entry], want: Iterable[Entry]) -> Delta:
    """Return how the files of two trees differ."""
    return compare({entry.path: entry for entry in have}, {entry.path: entry for entry in want})


def release_id(tree_digest: str, now: datetime) -> str:
    """Return the id of a release: UTC time and the first 12 hex digits of the tree's digest."""
    return f"{id_time(now)}-{tree_digest[:12]}"


def wanted_paths(source: Path, ignore_file: str) -> list[str]:
    """Return the files and links below `source` that belong into a release, relative to it and sorted.

    `ignore_file` is the name of a file in gitignore syntax at the root of the tree; it need not exist.
    """
    own = source / ignore_file
    spec = GitIgnoreSpec.from_lines(own.read_text("utf-8").splitlines()) if ignore_file and own.is_file() else None
    return sorted(path for path in _walk(str(source), "", spec) if path != ignore_file)


def _walk(root: str, below: str, spec: GitIgnoreSpec | None) -> Iterator[str]:
    with os.scandir(f"{root}/{below}") as items:
        for item in items:
            folder = item.is_dir(follow_symlinks=False)
            path = f"{below}{item.name}{'/' if folder else ''}"
            if ALWAYS_IGNORED.fullmatch(item.name) or (spec and spec.match_file(path)):
                continue
            if folder:
                yield from _walk(root, path, spec)
            else:
                yield path


def origins(source: Source) -> dict[str, Path]:
    """Return the files of a release by their path in it: those of the source and those from elsewhere."""
    paths = wanted_paths(source.folder, source.ignore_file)
    return {path: source.folder / path for path in paths} | source.extra


def stamps(files: Mapping[str, Path]) -> dict[str, str]:
    """Return what every write to the files changes, by their path in the release; empty where a file is not there."""
    return {name: stamp_of(path.lstat()) if os.path.lexists(path) else "" for name, path in files.items()}


def program_mode(file_mode: int) -> int:
    """Return the mode of a program: who may read it may run it."""
    return file_mode | (file_mode & 0o444) >> 2


def build(files: Mapping[str, Path], target: Path, file_mode: int, folder_mode: int) -> list[Entry]:
    """Copy files by their path in the release to the folder `target` with their final modes; return its entries.

    What was copied travels, so that a file that somebody changes meanwhile cannot tear the release.
    """
    target.chmod(folder_mode)
    made = {str(target)}
    for name, origin in files.items():
        copy = f"{target}/{name}"
        _make_folders(copy, folder_mode, made)
        if os.path.lexists(copy):
            Path(copy).unlink()
        shutil.copy2(origin, copy, follow_symlinks=False)
    return set_modes(target, file_mode, folder_mode)


def is_below_link(target: Path, name: str) -> bool:
    """Say whether a path leads through a link of the tree, perhaps out of it."""
    return any((target / parent).is_symlink() for parent in Path(name).parents)


def remove(target: Path, name: str) -> None:
    """Remove a file of a copy, and the folders that are empty without it."""
    (target / name).unlink()
    for folder in [target / parent for parent in Path(name).parents][:-1]:
        if any(folder.iterdir()):
            break
        folder.rmdir()


def set_modes(target: Path, file_mode: int, folder_mode: int) -> list[Entry]:
    """Give all files and folders of a tree their final modes and return its entries."""
    for folder, folders, names in os.walk(target):
        for name in folders:
            if not os.path.islink(f"{folder}/{name}"):  # noqa: PTH114
                os.chmod(f"{folder}/{name}", folder_mode)  # noqa: PTH101
        for name in names:
            mode = os.lstat(f"{folder}/{name}").st_mode
            if stat.S_ISREG(mode):
                os.chmod(f"{folder}/{name}", program_mode(file_mode) if mode & stat.S_IXUSR else file_mode)  # noqa: PTH101
    return scan(target)


def _make_folders(copy: str, mode: int, made: set[str]) -> None:
    folder = copy.rpartition("/")[0]
    if folder not in made:
        _make_folders(folder, mode, made)
        os.makedirs(folder, mode, exist_ok=True)  # noqa: PTH103
        made.add(folder)


def align_times(target: Path, have: Iterable[Entry], want: Iterable[Entry]) -> None:
    """Give the files of the copy times by which rsync tells what changed: the live file's if it did not, else another.

    So a file travels exactly when its content differs: not one that a new checkout has touched, but one whose edit kept
    size and time.
    """
    live = {entry.path: entry for entry in have}
    for entry in want:
        old = live.get(entry.path)
        if old and old.stamp and entry.kind != "link" and old.kind != "link":
            then = int(old.stamp.split(":")[1])
            path = f"{target}/{entry.path}"
            now = os.lstat(path).st_mtime_ns
            if old.content == entry.content:
                os.utime(path, ns=(then, then))
            elif now // 10**9 == then // 10**9:
                os.utime(path, ns=(now + 10**9, now + 10**9))
