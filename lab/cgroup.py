"""One cgroup per host: it keeps systemd's of different hosts apart, finds their processes and freezes them.

Only the hierarchies that systemd itself tracks with are used (its own named one and cgroup v2); memory and the like
stay as they are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

PARENT = "airflow-ops-lab"
KERNEL_SECONDS = 5.0


@dataclass(frozen=True)
class Processes:
    """What runs in the cgroup of a host: the container's first process, systemd-nspawn, and all of them."""

    init: int | None
    nspawn: int | None
    all: tuple[int, ...]


def hierarchies(mountinfo: str) -> list[Path]:
    """Return where cgroup v2 (first) and systemd's own v1 hierarchy are mounted, from the text of mountinfo."""
    unified, named = [], []
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.partition(" ")
        if kind == "cgroup2":
            unified.append(Path(fields.split()[4]))
        elif kind == "cgroup" and "name=systemd" in options:
            named.append(Path(fields.split()[4]))
    return unified[:1] + named[:1]


def roots() -> list[Path]:
    """Return the hierarchies of this machine; without cgroup v2 the lab cannot work."""
    found = hierarchies(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    if not found or not (found[0] / "cgroup.controllers").exists():
        raise LabError("This machine has no cgroup v2 mounted (hybrid or unified); the lab cannot work without.")
    return found


def folders(lab: str, host: str) -> list[Path]:
    """Return the folders of the host's cgroup, one in each hierarchy, cgroup v2 first."""
    return [root / PARENT / lab / host for root in roots()]


def create(lab: str, host: str) -> list[Path]:
    """Make the cgroup of a host."""
    made = folders(lab, host)
    for folder in made:
        folder.mkdir(parents=True, exist_ok=True)
    return made


def remove(lab: str, host: str | None = None) -> None:
    """Remove the cgroup of a host, or of the whole lab, in which nothing runs any more."""
    for root in roots():
        top = root / PARENT / lab / host if host else root / PARENT / lab
        for folder in _tree(top):
            _remove_folder(folder)
        with contextlib.suppress(OSError):  # another lab is in it
            (root / PARENT).rmdir()


def _remove_folder(folder: Path) -> None:
    """Remove one cgroup; the kernel calls it busy for a moment after its last process ended."""
    deadline = time.monotonic() + KERNEL_SECONDS
    while True:
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise LabError(f"Cgroup {folder} cannot be removed: {error.strerror}.") from error
        time.sleep(0.02)


def _tree(top: Path) -> list[Path]:
    """Return the cgroups at and below ``top``, the innermost first; they may vanish while this looks."""
    return [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]


def processes(lab: str, host: str) -> Processes:
    """Return the processes of a host, also of one whose systemd-nspawn was killed."""
    pids: set[int] = set()
    for folder in folders(lab, host):
        for group in _tree(folder):
            with contextlib.suppress(OSError):  # it went away meanwhile
                pids.update(int(line) for line in (group / "cgroup.procs").read_text(encoding="ascii").split())
    pids.discard(0)
    init = nspawn = None
    for pid in pids:
        status = _status(pid)
        if status.get("Name") == "systemd-nspawn" and len(status["NSpid"].split()) == 1:
            # nspawn forks a helper that ends soon; the one we started is the leader of its session.
            nspawn = pid if status.get("NSsid", "").split()[:1] == [str(pid)] else nspawn
        elif status.get("NSpid", "").split()[1:] == ["1"] and not status.get("State", "").startswith("Z"):
            init = pid
    return Processes(init, nspawn, tuple(sorted(pids)))


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # ended
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def is_frozen(lab: str, host: str) -> bool:
    """Tell whether all processes of the host are frozen."""
    switch = folders(lab, host)[0] / "cgroup.freeze"
    return switch.exists() and switch.read_text(encoding="ascii").strip() == "1"


def freeze(lab: str, host: str, frozen: bool) -> None:
    """Freeze or thaw all processes of a host and wait until the kernel has done so."""
    folder = folders(lab, host)[0]
    (folder / "cgroup.freeze").write_text("1" if frozen else "0", encoding="ascii")
    deadline = time.monotonic() + KERNEL_SECONDS
    while f"frozen {int(frozen)}" not in (folder / "cgroup.events").read_text(encoding="ascii"):
        if time.monotonic() > deadline:
            raise LabError(f"The kernel did not {'freeze' if frozen else 'thaw'} host {host} in {KERNEL_SECONDS:g} s.")
        time.sleep(0.01)


def kill(lab: str, host: str, seconds: float = 10.0) -> None:
    """End all processes of a host at once, its first process before systemd-nspawn, and wait until they are gone."""
    if is_frozen(lab, host):
        freeze(lab, host, False)
    deadline = time.monotonic() + seconds
    while (found := processes(lab, host)).all:
        # A killed nspawn would leave its container behind; with init gone it ends by itself.
        victims = [found.init] if found.init else list(found.all)
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(f"Processes {found.all} of host {host} do not end.")
        time.sleep(0.05)
