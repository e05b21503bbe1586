"""A commit of a git repository as a folder, its submodules and LFS files with it; and what git knows of a folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from airflow_ops.dag_release.plan import ReleaseError

CACHE = Path("~/.cache/airflow-ops/dag_release/git")
# The folder may be another account's; nothing in its configuration runs.
SAFE = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
# Git never asks: a run without a terminal would wait for ever. Credentials come from git's own helpers and ssh keys.
QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "GIT_LITERAL_PATHSPECS": "1",  # a folder may be called a*
    "LC_ALL": "C",
}
WHOLE = "."  # of the parts of a repository
SUBMODULE = "160000 "  # the mode of one, as a listing begins with it
# What brings the content of files that Git LFS holds, whether or not the account has it set up; without it they stay
# pointers, which are refused by name.
LFS = ("-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true")
NO_LFS = ("-c", "filter.lfs.process=", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false")


def describe(folder: Path, parts: Iterable[str] = (WHOLE,)) -> dict[str, Any]:
    """Return what git knows of a folder, or of some paths in it: nothing when it is in no work tree."""
    if not any((parent / ".git").exists() for parent in [folder.resolve(), *folder.resolve().parents]):
        return {}
    try:
        log = git(folder, "log", "-1", "--format=%H%x00%an <%ae>")
        changes = git(folder, "status", "--porcelain", "-z", "--untracked-files=all", "--", *parts)
    except ReleaseError:
        return {}  # no git here, or no commit yet
    commit, _, author = log.strip().partition("\0")
    names = [line[3:] for line in changes.split("\0") if re.match(r"[ A-Z?]{2} ", line)]
    return {"commit": commit, "author": author, "dirty": bool(names), "changes": names}


def empty_submodules(folder: Path) -> list[str]:
    """Return the submodules below a folder of a work tree that nobody fetched: they are empty folders."""
    staged = git(folder, "ls-files", "--stage", "-z", "--", ".").split("\0")
    paths = [line.partition("\t")[2] for line in staged if line.startswith(SUBMODULE)]
    fetched = [path for path in paths if (folder / path / ".git").exists()]
    inner = [f"{path}/{below}" for path in fetched for below in empty_submodules(folder / path)]
    return inner + [path for path in paths if not (folder / path).is_dir() or not any((folder / path).iterdir())]


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a repository.

    :param version: branch, tag or commit.
    :param parts: paths in it; only these are brought, with their submodules. One that is not there is none.
    :param only: the transports that git may use, separated by colons; empty for all.
    """

    repo: str
    version: str
    parts: tuple[str, ...] = (WHOLE,)
    only: str = ""

    def submodule(self, path: str, address: str, commit: str) -> Wanted | None:
        """Return what is wanted of the submodule at `path`, None when it lies elsewhere.

        Its address comes with the tree, so it may not name a program or, unless the repository lies on this machine
        itself, another folder of it.
        """
        inner = tuple(part.removeprefix(f"{path}/") for part in self.parts if part.startswith(f"{path}/"))
        if not inner and not any(part in (WHOLE, path) or path.startswith(f"{part}/") for part in self.parts):
            return None
        only = "https:http:ssh:git:file" if is_local(self.repo) else "https:http:ssh:git"
        return Wanted(absolute(address, self.repo), commit, inner or (WHOLE,), only)


def check_out(wanted: Wanted, target: Path, cache: Path) -> dict[str, Any]:
    """Fill the folder `target` with a commit, fetched into a cache of this account; return its origin."""
    repo, version = wanted.repo, wanted.version
    mirror = cache / hashlib.sha256(repo.encode()).hexdigest()[:16]
    if version.startswith("-") or repo.startswith("-"):
        named = version if version.startswith("-") else shown(repo)
        raise ReleaseError(f"{named} names no repository or revision.", "refused")
    for folder in (mirror, target):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    git(mirror, "init", "--quiet", "--bare")
    _set_address(mirror, repo)
    fetch = ("fetch", "--quiet", "--prune", "--force", "origin", "+refs/*:refs/*", "+HEAD:refs/remote-head")
    git(mirror, *fetch, GIT_ALLOW_PROTOCOL=wanted.only)
    commit = git(mirror, "rev-parse", "--verify", "--quiet", f"{_revision(version)}^{{commit}}").strip()
    author = git(mirror, "log", "-1", "--format=%an <%ae>", commit).strip()
    _write_out(mirror, commit, target, wanted.parts)
    for path, linked in _submodules(mirror, commit).items():
        if below := wanted.submodule(path, _address(mirror, commit, path), linked):
            _check_out_submodule(path, below, target, cache)
    return {"repo": shown(repo), "commit": commit, "author": author, "dirty": False}


def _check_out_submodule(path: str, wanted: Wanted, whole: Path, cache: Path) -> None:
    if not wanted.repo:
        raise ReleaseError(f"{path} is a submodule without an address in .gitmodules; nothing was changed.", "refused")
    try:
        check_out(wanted, whole / path, cache)
    except ReleaseError as error:
        raise ReleaseError(f"{path} is a submodule, and from {shown(wanted.repo)} {error}", error.kind) from error


def _write_out(mirror: Path, commit: str, target: Path, parts: Iterable[str]) -> None:
    """Write the files of a commit below `target`; those in Git LFS come from its server where git-lfs is installed."""
    there = [part for part in parts if part == WHOLE or git(mirror, "ls-tree", commit, "--", part)]
    with TemporaryDirectory(prefix="dag-release-index-") as folder:  # the mirror has none of its own, being bare
        index = f"{folder}/index"
        git(mirror, "read-tree", commit, GIT_INDEX_FILE=index)
        if there:
            filters = LFS if shutil.which("git-lfs") else NO_LFS
            write = ("checkout", "--quiet", "--force", "--", *there)
            git(mirror, *filters, f"--work-tree={target}", *write, GIT_INDEX_FILE=index)


def _submodules(mirror: Path, commit: str) -> dict[str, str]:
    """Return the commits of the submodules by path."""
    listed = git(mirror, "ls-tree", "-r", "-z", commit).split("\0")
    links = [line.split(maxsplit=3) for line in listed if line.startswith(SUBMODULE)]
    return {path: linked for _, _, linked, path in links}


def _address(mirror: Path, commit: str, path: str) -> str:
    """Return the address of a submodule as the commit has it, empty when it has none."""
    if not git(mirror, "ls-tree", commit, "--", ".gitmodules"):
        return ""
    listed = git(mirror, "config", "--blob", f"{commit}:.gitmodules", "--null", "--list").split("\0")
    values = dict(line.split("\n", 1) for line in listed if "\n" in line)
    names = [key.removesuffix(".path") for key, value in values.items() if key.endswith(".path") and value == path]
    return next((values[f"{name}.url"] for name in names if f"{name}.url" in values), "")


def is_local(repo: str) -> bool:
    """Say whether an address is a folder of this machine."""
    return repo.startswith("file://") or not re.match(r"[a-z+]+://|[^/]+:", repo)


def absolute(address: str, repo: str) -> str:
    """Return the address of a submodule, which may be relative to that of its repository."""
    if not address.startswith(("./", "../")):
        return address
    base, sign = repo.rstrip("/"), "/"
    while address.startswith(("./", "../")):
        if address.startswith("../"):
            sign = "/" if "/" in base else ":"
            base = base.rpartition(sign)[0]
        address = address.partition("/")[2]
    return f"{base}{sign}{address}"


def _revision(version: str) -> str:
    return "refs/remote-head" if version == "HEAD" else version


def refuse_dirty(repo: str, parts: Iterable[str]) -> None:
    """What is not committed in a work tree is not in its commits: say so instead of leaving it out silently."""
    folder = Path(repo.removeprefix("file://")).expanduser()
    changes = describe(folder, parts).get("changes") if (folder / ".git").exists() else None
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


def git(folder: Path, *arguments: str, **variables: str) -> str:
    """Run git in a folder and return what it prints.

    :param variables: of its environment; an empty one is left out.
    """
    try:
        done = subprocess.run(
            ["git", *SAFE, *arguments],
            cwd=folder,
            env={**os.environ, **QUIET, **{name: value for name, value in variables.items() if value}},
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
        verb = next(argument for argument in arguments if re.fullmatch("[a-z][a-z-]+", argument))
        raise ReleaseError(f"git {verb} failed ({reason or 'no such revision'}); nothing was changed.")
    return done.stdout
