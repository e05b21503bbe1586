"""Where a tree comes from: a folder, or a commit of a git repository; and what git knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_ops.dag_release.git import CACHE, WHOLE, Wanted, check_out, describe, empty_submodules, refuse_dirty, shown
from airflow_ops.dag_release.plan import ReleaseError, Source


@contextmanager
def resolved(source: Source) -> Iterator[tuple[Source, dict[str, Any]]]:
    """Yield the source as a folder, and its origin: repository, commit, author, and whether it is dirty."""
    if not source.repo:
        yield _folder(source)
        return
    part = source.subfolder.rstrip("/") or WHOLE
    if Path(part).is_absolute() or ".." in Path(part).parts:
        raise ReleaseError(f"dag_release_subfolder is {part} and must be a path in the repository.", "refused")
    refuse_dirty(source.repo, [part])
    with TemporaryDirectory(prefix="dag-release-git-") as name:
        origin = check_out(Wanted(source.repo, source.version, (part,)), Path(name), CACHE.expanduser())
        folder = Path(name, part)
        if not folder.is_dir():
            raise ReleaseError(f"{name_of(source)} has no folder {part} (dag_release_subfolder).", "refused")
        yield replace(source, folder=folder), origin


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
    origin = describe(source.folder)
    if origin.get("dirty") and not source.allow_dirty and not source.is_partial:
        changed = origin["changes"]
        raise ReleaseError(
            f"{source.folder} is part of a git work tree with {len(changed)} uncommitted changes "
            f"({', '.join(changed[:5])}); commit them, or set dag_release_allow_dirty to true; nothing was changed.",
            "refused",
        )
    if origin and (empty := empty_submodules(source.folder)):
        raise ReleaseError(
            f"{', '.join(empty)} of {source.folder} is a submodule that was not fetched: its folder is empty; run git "
            "submodule update --init --recursive there; nothing was changed.",
            "refused",
        )
    return source, origin
