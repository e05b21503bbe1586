"""Plain files of one owner, reached only as that owner could: root follows no link that the owner may lay."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import platform
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    """The numbers of an account and a group."""

    user: int
    group: int


class File(NamedTuple):
    """A plain file: all that can differ."""

    content: str
    owner: Owner
    mode: int

    @property
    def bytes(self) -> bytes:
        """What lies on the disk."""
        return self.content.encode("utf-8", errors="surrogateescape")

    @property
    def shown(self) -> str:
        """The content for people, where bytes that are no text do no harm."""
        return self.bytes.decode("utf-8", errors="replace")

    def attributes(self) -> str:
        """Return owner, group and mode as one line."""
        return f"{self.owner.user}:{self.owner.group} {self.mode:04o}\n"


def look_up(owner: str, group: str) -> Owner | None:
    """Return the numbers; None when the account or the group does not exist."""
    try:
        return Owner(pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
    except KeyError:
        return None


def names(owner: Owner) -> str:
    """Return account and group as chown takes them, numbers where there is no name."""
    try:
        user = pwd.getpwuid(owner.user).pw_name
    except KeyError:
        user = str(owner.user)
    try:
        return f"{user}:{grp.getgrgid(owner.group).gr_name}"
    except KeyError:
        return f"{user}:{owner.group}"


@contextlib.contextmanager
def acting_as(owner: Owner) -> Iterator[None]:
    """Reach files only as the account could, with the group as its only one; root stays what it is."""
    if os.geteuid() != 0 or owner.user == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([owner.group])
    os.setegid(owner.group)
    os.seteuid(owner.user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def read(path: str) -> File | None:
    """Return what lies at a path; None when that is no plain file that can be read, a link for example."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return None
            return File(_text(file.read()), Owner(status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode))
    except OSError:
        return None


def check_readable(path: str, owner: Owner) -> None:
    """Refuse a plain file that lies there and that the account, as which this runs, cannot read.

    :raises PermissionError: with what to type.
    """
    try:
        status = Path(path).lstat()
    except OSError:
        return
    if stat.S_ISREG(status.st_mode) and read(path) is None:
        holder = f"{names(Owner(status.st_uid, status.st_gid))} with mode {stat.S_IMODE(status.st_mode):04o}"
        raise PermissionError(
            errno.EACCES,
            f"it belongs to {holder}, so {names(owner).partition(':')[0]} cannot read it and what it holds would be "
            f"lost; as root on {platform.node()} type: chown {names(owner)} {path} && chmod u+r {path}",
            path,
        )


def _text(content: bytes) -> str:
    """Return bytes as text that gives the same bytes again, whatever they are."""
    return content.decode("utf-8", errors="surrogateescape")


def write(path: Path, wanted: File) -> None:
    """Put a file there, whole or not at all; it has its owner and mode before it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(wanted.bytes)
            os.fchown(handle, *wanted.owner)
            os.fchmod(handle, wanted.mode)
            file.flush()
            os.fsync(handle)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
