"""The controller's side of a tree: what belongs into a release, how two trees differ, and the copy that travels."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pathspec import GitIgnoreSpec

from airflow_ops.dag_release.agent.tree import NEIGHBOURS, Entry, entry_of, kind_of, mode_of, stamp_of
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


def named(patterns: Iterable[str]) -> tuple[tuple[bool, str], ...]:
    """Return patterns in gitignore syntax as the hosts read them, who have no library for it.

    :raises ValueError: with the pattern that is none.
    """
    spec: list[Any] = []
    for pattern in patterns:
        try:
            spec += GitIgnoreSpec.from_lines([pattern]).patterns
        except ValueError as error:
            raise ValueError(pattern) from error
    return tuple((one.include, one.regex.pattern) for one in spec if one.include is not None)


def origins(source: Source) -> dict[str, Path]:
    """Return the files of a release by their path in it: those of the source and those from elsewhere."""
    roots = {"": source.folder} | {f"{NEIGHBOURS}/{name}/": folder for name, folder in source.beside.items()}
    found = {
        f"{prefix}{path}": folder / path
        for prefix, folder in roots.items()
        for path in wanted_paths(folder, source.ignore_file)
    }
    return found | source.extra


def links(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the targets of the links among files, by their path in the release."""
    return {name: os.readlink(path) for name, path in files.items() if path.is_symlink()}  # noqa: PTH115


def stamps(files: Mapping[str, Path]) -> dict[str, str]:
    """Return what every write to the files changes, by their path in the release; empty where a file is not there."""
    return {name: stamp_of(path.lstat()) if os.path.lexists(path) else "" for name, path in files.items()}


def entries(files: Mapping[str, Path]) -> list[Entry]:
    """Return the entries of files by their path in the release, sorted by it; each is read."""
    return [entry_of(name, str(path), path.lstat()) for name, path in sorted(files.items())]


def copy(files: Mapping[str, Path], target: Path, file_mode: int, folder_mode: int) -> None:
    """Copy files by their path in the release to the folder `target` with their final modes; what is there stays.

    What was copied travels, so that a file that somebody changes meanwhile cannot tear the release. Its time is that of
    the copy: Airflow loads at once what is newer than its last look.
    """
    target.chmod(folder_mode)
    made = {str(target)}
    for name, origin in files.items():
        own = f"{target}/{name}"
        if os.path.lexists(own):
            continue
        _make_folders(own, folder_mode, made)
        shutil.copyfile(origin, own, follow_symlinks=False)
        if (kind := kind_of(origin.lstat().st_mode)) != "link":
            os.chmod(own, mode_of(kind, file_mode))  # noqa: PTH101


def is_below_link(live: Mapping[str, Entry], name: str) -> bool:
    """Say whether a path leads through a link of the tree, perhaps out of it."""
    parents = [str(parent) for parent in Path(name).parents]
    return any(live[parent].kind == "link" for parent in parents if parent in live)


def _make_folders(copy: str, mode: int, made: set[str]) -> None:
    folder = copy.rpartition("/")[0]
    if folder not in made:
        _make_folders(folder, mode, made)
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        os.chmod(folder, mode)  # noqa: PTH101
        made.add(folder)
