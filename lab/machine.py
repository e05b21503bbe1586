"""Whether this machine can carry a lab at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lab import cgroup
from lab.errors import LabError

# What the lab runs, and the Debian package it comes in.
PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "mkfs.ext4": "e2fsprogs",
    "ip": "iproute2",
    "iptables": "iptables",
    "ssh": "openssh-client",
    "unshare": "util-linux",
}


def check() -> None:
    """Refuse, in one sentence, where the lab cannot work."""
    check_root(os.geteuid())
    check_programs(shutil.which)
    filesystems = Path("/proc/filesystems").read_text(encoding="ascii").split()
    modules = Path("/lib/modules") / os.uname().release / "kernel/fs/overlayfs"
    if "overlay" not in filesystems and not modules.exists():
        raise LabError("The kernel of this machine has no overlayfs; the lab cannot work without.")
    if not Path("/dev/loop-control").exists():
        raise LabError("This machine has no /dev/loop-control; the lab needs loop devices for its hosts' disks.")
    cgroup.roots()


def check_root(euid: int) -> None:
    """Refuse everybody but root."""
    if euid != 0:
        raise LabError("The lab must be run by root: it mounts file systems and boots containers.")


def check_programs(which: Callable[[str], str | None]) -> None:
    """Refuse when a program is missing, naming the packages that bring it."""
    missing = [name for name in PROGRAMS if which(name) is None]
    if missing:
        packages = " ".join(PROGRAMS[name] for name in missing)
        raise LabError(f"The lab needs {', '.join(missing)}; run `make setup` or `apt-get install {packages}`.")
