"""One host: making, booting, stopping and looking at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lab import cgroup, disk, keys, network, tree
from lab.disk import Disk
from lab.errors import LabError
from lab.hosts import Host
from lab.settings import Settings
from lab.state import Made

BOOT_SECONDS = 120.0
POWEROFF_SECONDS = 20.0
POWEROFF_SIGNAL = signal.SIGRTMIN + 4  # systemd, as the first process: start poweroff.target

KEY_FILE = "etc/ssh/ssh_host_ed25519_key.pub"  # made for one host of one lab: it says whose identity a disk has

# A shell enters the host's cgroups before it becomes systemd-nspawn: $1 cgroups, the rest is the command.
ENTER_AND_RUN = 'for folder in $1; do echo $$ > "$folder/cgroup.procs"; done; shift; exec "$@"'


def disk_of(settings: Settings, host: str) -> Disk:
    """Return the disk of a host."""
    return Disk(settings.state / "hosts" / host)


def prepare(settings: Settings, host: Host, made: Made, everybody: Sequence[Host]) -> None:
    """Make what is missing of the host's disk and mount it; a new host, or a copy of another one, gets its identity."""
    for folder in made.lower:
        if not Path(folder).is_dir():
            raise LabError(f"Host {host.name} stands on {folder}, which is gone; run `lab destroy {host.name}`.")
    own = disk_of(settings, host.name)
    disk.create(own)
    disk.mount(own, [Path(folder) for folder in made.lower])
    done, files = own.data / "identity", identity(settings, host, everybody)
    if not done.exists() or done.read_text(encoding="ascii") != files[KEY_FILE][1]:
        for name, (mode, text) in files.items():
            _write(own.root / name, mode, text)
        home = own.root / "home" / tree.ADMIN
        for path in (home / ".ssh", home / ".ssh" / "authorized_keys"):
            os.chown(path, home.stat().st_uid, home.stat().st_gid)
        done.write_text(files[KEY_FILE][1], encoding="ascii")


def identity(settings: Settings, host: Host, everybody: Sequence[Host]) -> dict[str, tuple[int, str]]:
    """Return the files that make a tree this host: path -> (mode, text)."""
    key = keys.host_key(settings, host.name)
    admin = keys.public(keys.admin_key(settings))
    return {
        "etc/hostname": (0o644, f"{host.name}\n"),
        "etc/hosts": (0o644, hosts_file(settings, everybody)),
        "etc/resolv.conf": (0o644, _resolv_conf()),
        "etc/systemd/network/10-host0.network": (0o644, network_file(settings, host)),
        "etc/ssh/ssh_host_ed25519_key": (0o600, key.read_text(encoding="ascii")),
        KEY_FILE: (0o644, f"{keys.public(key)}\n"),
        f"home/{tree.ADMIN}/.ssh/authorized_keys": (0o600, f"{admin}\n"),
    }


def hosts_file(settings: Settings, everybody: Sequence[Host]) -> str:
    """Return /etc/hosts. No name leads to 127.0.1.1: Airflow would fetch logs from there."""
    lines = ["127.0.0.1 localhost", *(f"{host.address(settings.network)} {host.name}" for host in everybody)]
    return "\n".join(lines) + "\n"


def network_file(settings: Settings, host: Host) -> str:
    """Return the systemd-networkd file of the host. The address stays when the cable is pulled, as on a real host."""
    return f"""\
[Match]
Name=host0

[Link]
RequiredForOnline=no

[Network]
Address={host.address(settings.network)}/{settings.network.prefixlen}
Gateway={settings.gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
ConfigureWithoutCarrier=yes
IgnoreCarrierLoss=yes
"""


def boot(settings: Settings, host: Host) -> None:
    """Boot a prepared host and wait until it takes logins."""
    cgroup.kill(settings.name, host.name)
    network.unplug_dead(settings, host.name)
    own = disk_of(settings, host.name)
    console = own.folder / "console.log"
    with console.open("wb") as output:
        process = subprocess.Popen(
            nspawn_command(settings, host.name, cgroup.create(settings.name, host.name), own.root),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            # /tmp is on the host's disk, as on a real host, so that it is full when the disk is.
            env={**os.environ, "SYSTEMD_NSPAWN_TMPFS_TMP": "0"},
            start_new_session=True,
        )
    deadline = time.monotonic() + BOOT_SECONDS
    while not takes_logins(settings, host):
        if process.poll() is not None:
            raise LabError(f"Host {host.name} ended while it booted, see {console}.")
        if time.monotonic() > deadline:
            raise LabError(f"Host {host.name} takes no logins after {BOOT_SECONDS:g} s, see {console}.")
        time.sleep(0.1)


def nspawn_command(settings: Settings, host: str, cgroups: Sequence[Path], root: Path) -> list[str]:
    """Return the command that boots a host inside its cgroups."""
    options = [
        f"--directory={root}",
        f"--machine={settings.machine(host)}",
        f"--hostname={host}",
        f"--network-bridge={settings.bridge}",
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
    ]
    return ["sh", "-c", ENTER_AND_RUN, "sh", " ".join(map(str, cgroups)), "systemd-nspawn", *options]


def takes_logins(settings: Settings, host: Host) -> bool:
    """Tell whether sshd answers and the start-up, during which only root may log in, is over."""
    try:
        with socket.create_connection((host.address(settings.network), 22), timeout=1) as connection:
            connection.settimeout(1)
            if not connection.recv(4).startswith(b"SSH-"):
                return False
    except OSError:
        return False
    init = cgroup.processes(settings.name, host.name).init
    return init is not None and not Path(f"/proc/{init}/root/run/nologin").exists()


def is_running(settings: Settings, host: str) -> bool:
    """Tell whether a host runs whole: its first process and the systemd-nspawn that keeps it."""
    found = cgroup.processes(settings.name, host)
    return found.init is not None and found.nspawn is not None


def power_off(settings: Settings, host: str) -> bool:
    """Shut a host down in order, or by force when it does not end in time; tell whether it went in order."""
    init = cgroup.processes(settings.name, host).init
    deadline = time.monotonic() + POWEROFF_SECONDS
    if init is not None:
        if cgroup.is_frozen(settings.name, host):
            cgroup.freeze(settings.name, host, False)
        with contextlib.suppress(ProcessLookupError):
            os.kill(init, POWEROFF_SIGNAL)
        while cgroup.processes(settings.name, host).all and time.monotonic() < deadline:
            time.sleep(0.1)
    orderly = not cgroup.processes(settings.name, host).all
    power_cut(settings, host)
    return orderly


def power_cut(settings: Settings, host: str) -> None:
    """End a host without any shutdown; its disk stays."""
    cgroup.kill(settings.name, host)
    network.unplug_dead(settings, host)
    cgroup.remove(settings.name, host)


def state(settings: Settings, host: str) -> str:
    """Return the state of a host in words: stopped, broken, or running with what is done to it."""
    found = cgroup.processes(settings.name, host)
    full = ["full"] if disk.is_full(disk_of(settings, host)) else []
    if not found.all:
        return ", ".join(["stopped", *full])
    if found.init is None or found.nspawn is None:
        return "broken"
    marks = ["paused"] if cgroup.is_frozen(settings.name, host) else []
    marks += ["cut"] if network.is_cut(settings, host) else []
    return ", ".join(marks + full) or "running"


def uptime(pid: int) -> float:
    """Return how many seconds ago a process began."""
    began = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    now = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return now - began / os.sysconf("SC_CLK_TCK")


def _resolv_conf() -> str:
    # With systemd-resolved, /etc/resolv.conf names an address that only this machine can reach.
    real = Path("/run/systemd/resolve/resolv.conf")
    return (real if real.exists() else Path("/etc/resolv.conf")).read_text(encoding="utf-8")


def _write(path: Path, mode: int, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if path.parent.name == ".ssh" else 0o755)
    path.unlink(missing_ok=True)
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(text)
    shutil.chown(path, "root", "root")
