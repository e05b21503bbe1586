"""The disk of a host: a bounded file system of its own in a sparse file, with an overlay above the shared trees."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.shell import run

SIZE_GIB = 6
BLOCK = 4096

# The data is thrown away with the lab, so a flush need not reach the outer machine's disk (barrier=0), and what a host
# deletes becomes free on the outer machine (discard).
DISK_OPTIONS = "loop,noatime,discard,barrier=0"


@dataclass(frozen=True)
class Disk:
    """The folder of one host: ``image`` is mounted at ``data``, which carries the overlay mounted at ``root``."""

    folder: Path

    @property
    def image(self) -> Path:
        """The sparse file."""
        return self.folder / "disk.img"

    @property
    def data(self) -> Path:
        """Where the image is mounted."""
        return self.folder / "data"

    @property
    def root(self) -> Path:
        """The root of the host, seen from outside."""
        return self.folder / "root"

    @property
    def filling(self) -> Path:
        """The file that takes all space of a full disk; the host itself cannot see it."""
        return self.data / "filling"


def create(disk: Disk) -> None:
    """Make the disk image, if there is none."""
    if disk.image.exists():
        return
    disk.folder.mkdir(parents=True, exist_ok=True)
    partial = disk.image.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with partial.open("wb") as file:
        file.truncate(SIZE_GIB * 2**30)
    # No blocks are kept back for root: a full disk is full for every account.
    run(["mkfs.ext4", "-q", "-m", "0", "-J", "size=16", "-E", "lazy_itable_init=1,nodiscard", partial])
    partial.rename(disk.image)


def mount(disk: Disk, lower: Sequence[Path]) -> None:
    """Mount the disk and the overlay above ``lower`` (topmost first), whatever of it is not mounted yet."""
    for folder in (disk.data, disk.root):
        folder.mkdir(parents=True, exist_ok=True)
    if not disk.data.is_mount():
        run(["e2fsck", "-p", disk.image], ok=(0, 1))
        run(["mount", "-o", DISK_OPTIONS, disk.image, disk.data])
    if not disk.root.is_mount():
        upper, work = disk.data / "upper", disk.data / "work"
        for folder in (upper, work):
            folder.mkdir(exist_ok=True)
        options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
        run(["mount", "-t", "overlay", "overlay", "-o", options, disk.root])


def unmount_below(folder: Path) -> None:
    """Unmount everything below ``folder``, the last mounted first; lazily where something still holds it."""
    for point in mounts_below(Path("/proc/self/mountinfo").read_text(encoding="utf-8"), folder):
        run(["umount", point], ok=(0, 32))
        if point.is_mount():
            run(["umount", "-l", point])


def mounts_below(mountinfo: str, folder: Path) -> list[Path]:
    """Return the mount points at or below ``folder`` in the text of mountinfo, the last mounted first."""
    points = [Path(line.split()[4]) for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if point.is_relative_to(folder)]


def fill(disk: Disk, leave: int = 0) -> None:
    """Take all space that is left on the disk, in ever smaller pieces; then give ``leave`` bytes of it back."""
    with disk.filling.open("ab") as file:
        piece = SIZE_GIB * 2**30
        while piece >= BLOCK:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), piece)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                piece //= 2
        file.truncate(max(0, file.seek(0, os.SEEK_END) - leave))


def free(disk: Disk) -> None:
    """Give back what ``fill`` took."""
    disk.filling.unlink(missing_ok=True)


def is_full(disk: Disk) -> bool:
    """Tell whether ``fill`` was used on the disk."""
    return disk.filling.exists()


def remove(disk: Disk) -> None:
    """Unmount and delete the disk with everything on it."""
    unmount_below(disk.folder)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(disk.folder)
