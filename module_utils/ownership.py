"""Who should own the DAGs and the logs, with which mode, and how to bring that about as root.

The account of Airflow may lay links and rename folders below its own at any moment. So nothing here follows a link:
each folder is opened from its parent, and owner and mode are changed on what was opened.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

# The options of every module that works by these rules.
ARGUMENTS: dict[str, Any] = {
    "dags_folder": {"type": "path", "required": True},
    "log_folder": {"type": "path", "required": True},
    "group": {"type": "str", "required": True},
    "log_owners": {"type": "list", "elements": "str", "default": []},
    "file_mode": {"type": "str", "required": True},
    "folder_mode": {"type": "str", "required": True},
}
RUNTIME = "__pycache__"  # Python makes it and its files as the umask of the process says
LOG_MODES = (0o640, 0o2750)  # at least; Airflow makes its own 0644 and 2755, and more for tasks with run_as_user


class Attributes(NamedTuple):
    """What can be wrong with a file."""

    user: int
    group: int
    mode: int


@dataclass(frozen=True)
class Rule:
    """What is right in one area.

    :param accepted: accounts that may own a file besides `user`, as those of run_as_user may their logs.
    :param exact: whether files and folders have these modes, else at least these bits.
    """

    user: int
    group: int
    file_mode: int
    folder_mode: int
    exact: bool
    accepted: frozenset[int] = frozenset()

    def wanted(self, mode: int, have: Attributes, runtime: bool) -> Attributes:
        """Return what a file should have; ``mode`` is the whole of its mode, its kind included."""
        user = have.user if have.user in self.accepted else self.user
        right = have.mode if runtime else self._mode(mode, have.mode)
        # With another owner a setuid program would run as that account: no file keeps these bits.
        return Attributes(user, self.group, right & 0o777 if stat.S_ISREG(mode) else right)

    def _mode(self, mode: int, have: int) -> int:
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return have  # a link has none of its own
        wanted = self.folder_mode if stat.S_ISDIR(mode) else self.file_mode
        if not self.exact:
            return have | wanted
        if stat.S_ISREG(mode) and have & stat.S_IXUSR:
            return wanted | (wanted & 0o444) >> 2  # who may read a program may run it
        return wanted


class Change(NamedTuple):
    """A file that is not as it should be."""

    path: str
    before: Attributes
    after: Attributes
    refused: str = ""  # why it stays as it is


@dataclass(frozen=True)
class Area:
    """A folder that Airflow owns, and the rule for all below it. The one above it is taken as it is."""

    path: PurePosixPath
    rule: Rule

    def change(self, path: PurePosixPath, dry: bool) -> tuple[list[Change], int, bool]:
        """Bring a path of the area and all below it to the rule; return the changes, the number of files, and whether
        the path exists."""
        parts = path.relative_to(self.path.parent).parts
        try:
            with _opened(str(self.path.parent), parts[:-1]) as handle:
                found = list(self._below(handle, parts[-1], str(path), dry))
        except FileNotFoundError:
            return [], 0, False
        return [change for change in found if change], len(found), True

    def _below(self, parent: int, name: str, path: str, dry: bool) -> Iterator[Change | None]:
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        yield self._one(parent, name, path, dry)
        if not stat.S_ISDIR(info.st_mode):
            return
        for folder, folders, files, handle in os.fwalk(name, dir_fd=parent, follow_symlinks=False):
            shown = path + folder[len(name) :]
            for each in sorted([*folders, *files]):
                yield self._one(handle, each, f"{shown}/{each}", dry)

    def _one(self, parent: int, name: str, path: str, dry: bool) -> Change | None:
        try:
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:  # it went away meanwhile
            return None
        have = Attributes(info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))
        after = self.rule.wanted(info.st_mode, have, RUNTIME in PurePosixPath(path).parts)
        if have == after:
            return None
        if stat.S_ISREG(info.st_mode) and info.st_nlink > 1 and have.user != self.rule.user:
            # A second name of a file elsewhere, which would get another owner there, too.
            return Change(path, have, after, "it has a second name")
        if not dry:
            _apply(parent, name, info, after)
        return Change(path, have, after)


@contextmanager
def _opened(folder: str, below: tuple[str, ...]) -> Iterator[int]:
    """Open a folder below another, step by step, so that no link is followed on the way."""
    with ExitStack() as stack:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, handle)
        for part in below:
            handle = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            stack.callback(os.close, handle)
        yield handle


def _apply(parent: int, name: str, info: os.stat_result, after: Attributes) -> None:
    if not (stat.S_ISDIR(info.st_mode) or stat.S_ISREG(info.st_mode)):
        os.chown(name, after.user, after.group, dir_fd=parent, follow_symlinks=False)
        return
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        if os.path.samestat(os.fstat(handle), info):
            os.fchown(handle, after.user, after.group)
            os.fchmod(handle, after.mode)  # after the owner, whose change takes setgid away
    finally:
        os.close(handle)


def below_release(path: PurePosixPath, dags: PurePosixPath) -> PurePosixPath:
    """Return where a path below the dags link really lies, which is a release beside it.

    :raises ValueError: with one sentence, when the link leads elsewhere.
    """
    link = Path(dags)
    if path == dags or dags not in path.parents or not link.is_symlink():
        return path
    target = Path(os.path.normpath(link.parent / link.readlink()))
    if target.parent != link.parent / "dag_releases":
        raise ValueError(f"{dags} leads to {target} and not to a release in {link.parent / 'dag_releases'}.")
    return PurePosixPath(target) / path.relative_to(dags)


def areas(params: dict[str, Any]) -> list[Area]:
    """Return the areas and their rules.

    :raises KeyError: when the account or the group does not exist.
    """
    user, group = pwd.getpwnam(params["owner"]).pw_uid, grp.getgrnam(params["group"]).gr_gid
    known = {each.pw_name: each.pw_uid for each in pwd.getpwall()}
    others = frozenset(known[name] for name in params["log_owners"] if name in known)
    dags, logs = PurePosixPath(params["dags_folder"]), PurePosixPath(params["log_folder"])
    rule = Rule(user, group, int(params["file_mode"], 8), int(params["folder_mode"], 8), exact=True)
    return [
        Area(dags, rule),
        Area(dags.parent / "dag_releases", rule),
        Area(logs, Rule(user, group, *LOG_MODES, exact=False, accepted=others)),
    ]


@cache
def user_name(number: int) -> str:
    """Return the name of an account, or its number."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@cache
def group_name(number: int) -> str:
    """Return the name of a group, or its number."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def printable(path: str) -> str:
    """Return a path as text that every program takes; a name that is not UTF-8, as CP949, has its bytes escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shown(attributes: Attributes) -> str:
    """Return attributes as text."""
    return f"{user_name(attributes.user)}:{group_name(attributes.group)} {attributes.mode:04o}"
