"""Where a tree comes from: a folder, or a commit of a git repository; and what git knows of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_ops.dag_release import neighbours
from airflow_ops.dag_release.git import CACHE, WHOLE, Wanted, check_out, describe, empty_submodules, refuse_dirty, shown
from airflow_ops.dag_release.plan import ReleaseError, Source


@contextmanager
def resolved(source: Source) -> Iterator[tuple[Source, dict[str, Any]]]:
    """Yield the source as folders, and its origin: repository, commit, author, and whether it is dirty."""
    if not source.repo:
        yield _folder(source)
        return
    part = source.subfolder.rstrip("/") or WHOLE
    if Path(part).is_absolute() or ".." in Path(part).parts:
        raise ReleaseError(f"dag_release_subfolder is {part} and must be a path in the repository.", "refused")
    beside = (os.path.normpath(Path(part, path)) for path in neighbours.paths(source).values())
    parts = [part, *(path for path in beside if not path.startswith(("/", "..")))]
    refuse_dirty(source.repo, parts)
    with TemporaryDirectory(prefix="dag-release-git-") as name:
        root = Path(name, "repository")  # beside it lies nothing
        origin = check_out(Wanted(source.repo, source.version, tuple(parts)), root, CACHE.expanduser())
        if not Path(root, part).is_dir():
            raise ReleaseError(f"{name_of(source)} has no folder {part} (dag_release_subfolder).", "refused")
        yield _with_neighbours(replace(source, folder=Path(root, part))), origin


def _with_neighbours(source: Source) -> Source:
    """Return the source with the folders of its neighbours, and its files called as in a release."""
    files, remove = (
        [neighbours.name_in_release(source, name) for name in names] for names in (source.files, source.remove)
    )
    return replace(source, beside=neighbours.found(source), files=files, remove=remove)


def name_of(source: Source) -> str:
    """Return the source as people name it."""
    return f"{shown(source.repo)}@{source.version}" if source.repo else str(source.folder)


def _folder(source: Source) -> tuple[Source, dict[str, Any]]:
    if not source.folder.is_dir():
        raise ReleaseError(
            f"The source of the DAGs is not a folder: {source.folder}; set dag_release_source.", "refused"
        )
    needless = {"dag_release_version": source.version != "HEAD", "dag_release_subfolder": source.subfolder}
    for name in filter(needless.get, needless):
        raise ReleaseError(f"{name} is set, but dag_release_repo names no repository; set both.", "refused")
    source = _with_neighbours(source)
    folders = [source.folder, *source.beside.values()]
    known = [describe(path) for path in folders]
    changed = [name for each in known for name in each.get("changes", [])]
    origin = {**known[0], "dirty": bool(changed)} if known[0] else {}
    if changed and not source.allow_dirty and not source.is_partial:
        raise ReleaseError(
            f"{source.folder} is part of a git work tree with {len(changed)} uncommitted changes "
            f"({', '.join(changed[:5])}); commit them, or set dag_release_allow_dirty to true; nothing was changed.",
            "refused",
        )
    if empty := [
        f"{path}/{name}" for path, each in zip(folders, known, strict=True) if each for name in empty_submodules(path)
    ]:
        raise ReleaseError(
            f"{', '.join(empty)} is a submodule that was not fetched: the folder is empty; run git submodule "
            "update --init --recursive there; nothing was changed.",
            "refused",
        )
    return source, origin
