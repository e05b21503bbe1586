"""Where a tree comes from: a folder, or a commit of a git repository; and what git knows of it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from airflow_ops.dag_release.plan import ReleaseError, Source

CACHE = Path("~/.cache/airflow-ops/dag_release/git")
# The folder may be another account's; nothing in its configuration runs.
SAFE = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
# Git never asks: a run without a terminal would wait for ever. Credentials come from git's own helpers and ssh keys.
QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes", "LC_ALL": "C"}


@contextmanager
def resolved(source: Source) -> Iterator[tuple[Source, dict[str, Any]]]:
    """Yield the source as a folder, and its origin: repository, commit, author, and whether it is dirty."""
    if not source.repo:
        yield _folder(source)
        return
    with TemporaryDirectory(prefix="dag-release-git-") as name:
        origin = check_out(source.repo, source.version, Path(name), CACHE.expanduser())
        yield replace(source, folder=Path(name)), origin


def name_of(source: Source) -> str:
    """Return the source as people name it."""
    return f"{shown(source.repo)}@{source.version}" if source.repo else str(source.folder)


def _folder(source: Source) -> tuple[Source, dict[str, Any]]:
    if not source.folder.is_dir():
        raise ReleaseError(
            f"The source of the DAGs is not a folder: {source.folder}; set dag_release_source.", "refused"
        )
    if source.version != "HEAD":
        raise ReleaseError(
            f"dag_release_version is {source.version}, but dag_release_repo names no repository; set both.", "refused"
        )
    origin = describe(source.folder)
    if origin.get("dirty") and not source.allow_dirty and not source.is_partial:
        changed = origin["changes"]
        raise ReleaseError(
            f"{source.folder} is part of a git work tree with {len(changed)} uncommitted changes "
            f"({', '.join(changed[:5])}); commit them, or set dag_release_allow_dirty to true; nothing was changed.",
            "refused",
        )
    return source, origin


def describe(folder: Path) -> dict[str, Any]:
    """Return what git knows of a folder: nothing when it is in no work tree."""
    if not any((parent / ".git").exists() for parent in [folder.resolve(), *folder.resolve().parents]):
        return {}
    try:
        log = git(folder, "log", "-1", "--format=%H%x00%an <%ae>")
        changes = git(folder, "status", "--porcelain", "-z", "--untracked-files=all", "--", ".")
    except ReleaseError:
        return {}  # no git here, or no commit yet
    commit, _, author = log.strip().partition("\0")
    names = [line[3:] for line in changes.split("\0") if re.match(r"[ A-Z?]{2} ", line)]
    return {"commit": commit, "author": author, "dirty": bool(names), "changes": names}


def check_out(repo: str, version: str, target: Path, cache: Path) -> dict[str, Any]:
    """Fill the folder `target` with a commit of a repository, fetched into a cache of this account; return its origin.

    :param version: branch, tag or commit.
    """
    mirror = cache / hashlib.sha256(repo.encode()).hexdigest()[:16]
    if version.startswith("-") or repo.startswith("-"):
        named = version if version.startswith("-") else shown(repo)
        raise ReleaseError(f"{named} names no repository or revision.", "refused")
    _refuse_dirty(repo)
    mirror.mkdir(mode=0o700, parents=True, exist_ok=True)
    git(mirror, "init", "--quiet", "--bare")
    _set_address(mirror, repo)
    git(mirror, "fetch", "--quiet", "--prune", "--force", "origin", "+refs/*:refs/*", "+HEAD:refs/remote-head")
    commit = git(mirror, "rev-parse", "--verify", "--quiet", f"{_revision(version)}^{{commit}}").strip()
    author = git(mirror, "log", "-1", "--format=%an <%ae>", commit).strip()
    with TemporaryDirectory(prefix="dag-release-index-") as index:  # the mirror has none of its own, being bare
        git(
            mirror, f"--work-tree={target}", "checkout", "--quiet", "--force", commit, "--", ".", index=f"{index}/index"
        )
    return {"repo": shown(repo), "commit": commit, "author": author, "dirty": False}


def _revision(version: str) -> str:
    return "refs/remote-head" if version == "HEAD" else version


def _refuse_dirty(repo: str) -> None:
    """What is not committed in a work tree is not in its commits: say so instead of leaving it out silently."""
    folder = Path(repo.removeprefix("file://")).expanduser()
    changes = describe(folder).get("changes") if (folder / ".git").exists() else None
    if changes:
        raise ReleaseError(
            f"{folder} has {len(changes)} uncommitted changes ({', '.join(changes[:5])}), which no commit brings; "
            "commit them, or deliver the folder itself (dag_release_source).",
            "refused",
        )


def _set_address(mirror: Path, repo: str) -> None:
    """Write the address into git's configuration, account and password apart from it, for this account's eyes only.

    In arguments everybody on this machine could read them, also in those of the programs that git starts.
    """
    text = f'[remote "origin"]\n\turl = {_quoted(shown(repo))}\n'
    if shown(repo) != repo and ":" in urlsplit(repo).netloc.rpartition("@")[0]:
        _write(mirror / "credentials", f"{repo}\n")
        text += f"[credential]\n\thelper =\n\thelper = {_quoted(f'store --file={mirror}/credentials')}\n"
    elif shown(repo) != repo:
        text = f'[remote "origin"]\n\turl = {_quoted(repo)}\n'
    _write(mirror / "address", text)
    git(mirror, "config", "--replace-all", "include.path", str(mirror / "address"))


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def shown(repo: str) -> str:
    """Return the address of a repository without the account and password that it may hold."""
    return re.sub(r"^([a-z+]+://)[^/@]+@", r"\1", repo)


def git(folder: Path, *arguments: str, index: str | None = None) -> str:
    """Run git in a folder and return what it prints."""
    try:
        done = subprocess.run(
            ["git", *SAFE, *arguments],
            cwd=folder,
            env={**os.environ, **QUIET, **({"GIT_INDEX_FILE": index} if index else {})},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise ReleaseError("git is not installed on the controller.") from error
    if done.returncode:
        reason = re.sub(
            r"([a-z+]+://)[^/@\s]+@", r"\1", done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
        )
        verb = next(argument for argument in arguments if not argument.startswith("-"))
        raise ReleaseError(f"git {verb} failed ({reason or 'no such revision'}); nothing was changed.")
    return done.stdout
