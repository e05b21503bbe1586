"""Look at a host before anything is installed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_look
short_description: Observe a host without changing it
description:
  - Returns what the rules in airflow_ops.host_rules judge. Needs root to name the processes that hold a port.
  - The action preflight_host calls it; there is no need to call it in a playbook.
author: Airflow operations
attributes:
  check_mode: {support: full, description: It only reads.}
options:
  python:
    description: The Python whose version is asked.
    type: path
    required: true
  folders:
    description: Folders whose free space is asked; where one does not exist, its nearest existing parent is looked at.
    type: list
    elements: path
    required: true
  stack_root:
    description: Folder below which airflow.cfg files are looked for, as STACK_ROOT/VERSION/airflow/airflow.cfg.
    type: path
    required: true
  names:
    description: Names to resolve.
    type: list
    elements: str
    required: true
  ports:
    description: TCP ports whose listeners are asked.
    type: list
    elements: int
    required: true
"""

EXAMPLES = r"""
- name: Observe a host
  preflight_look:
    python: /usr/bin/python3
    folders: [/usr/hmg]
    stack_root: /usr/hmg
    names: [mn01p]
    ports: [8080]
"""

RETURN = r"""
seen:
  description: >-
    time (seconds since 1970), os_release, python (list of numbers, empty where it does not run), free_mb by folder,
    memory_mb, listeners (port, pid, process, unit), addresses by name, units (name, path, ours), processes (pid,
    command, unit), configurations (paths of airflow.cfg that are not ours) and ambari (sentences).
  returned: always
  type: dict
"""

import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS = {
    "python": {"type": "path", "required": True},
    "folders": {"type": "list", "elements": "path", "required": True},
    "stack_root": {"type": "path", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "ports": {"type": "list", "elements": "int", "required": True},
}
# What our templates write into the head of a unit and of airflow.cfg.
OUR_UNIT = "Ansible, role airflow_services"
OUR_CONFIGURATION = "Ansible managed"
UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/system")
PARTS = "scheduler|webserver|triggerer|worker|flower|api-server|dag-processor|standalone"
SERVICE = re.compile(rf"(?:\S*python\S*\s+)?(?:\S*/)?airflow\s+((?:celery\s+)?(?:{PARTS}))\b")
UNIT = re.compile(rf"airflow([-_@]?(celery[-_])?({PARTS}))?@?\.service")
AMBARI_TOPOLOGY = Path("/var/lib/ambari-agent/cache/cluster_cache/topology.json")
LISTEN = "0A"
PROC = Path("/proc")
LOOKS = 10
BETWEEN_LOOKS = 0.1  # seconds


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    arguments = module.params
    # The time comes first: the caller compares it with the moments before and after the call.
    seen = {
        "time": time.time(),
        "os_release": os_release(read("/etc/os-release")),
        "python": python_version(module, arguments["python"]),
        "free_mb": {folder: free_mb(Path(folder)) for folder in arguments["folders"]},
        "memory_mb": memory_mb(read("/proc/meminfo")),
        "listeners": listeners(arguments["ports"]),
        "addresses": {name: addresses(name) for name in arguments["names"]},
        "units": list(units(UNIT_FOLDERS)),
        "processes": list(processes()),
        "configurations": configurations(Path(arguments["stack_root"])),
        "ambari": ambari(AMBARI_TOPOLOGY),
    }
    module.exit_json(changed=False, seen=seen)


def read(path: str | Path) -> str:
    """Return the text of a file, '' where there is none (a process may end while we look)."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def os_release(text: str) -> dict[str, str]:
    """Parse /etc/os-release."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def python_version(module: AnsibleModule, python: str) -> list[int]:
    """Return the version of a Python, [] where it does not run."""
    if not os.access(python, os.X_OK):
        return []
    code, output, _ = module.run_command([python, "-c", "import sys; print(*sys.version_info[:3])"])
    return [int(part) for part in output.split()] if code == 0 else []


def free_mb(folder: Path) -> int:
    """Return the free MiB where a folder lies or will lie."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return os.statvfs(existing).f_bavail * os.statvfs(existing).f_frsize // 2**20


def memory_mb(meminfo: str) -> int:
    """Return the MiB of memory that /proc/meminfo tells."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found.group(1)) // 1024 if found else 0


def listening_inodes(table: str, ports: Iterable[int]) -> dict[int, str]:
    """Return {port: inode} of the listening sockets in /proc/net/tcp or tcp6."""
    rows = [line.split() for line in table.splitlines()[1:]]
    found = {int(row[1].rpartition(":")[2], 16): row[9] for row in rows if len(row) > 9 and row[3] == LISTEN}
    return {port: inode for port, inode in found.items() if port in ports}


def listeners(ports: list[int], proc: Path = PROC) -> list[dict[str, object]]:
    """Return who listens on the ports.

    Processes begin, end and hand sockets on while we look: as long as one seems to be held by nobody, all is looked at
    anew. One of the kernel itself stays so.
    """
    for _ in range(LOOKS - 1):
        found = list(listeners_now(ports, proc))
        if all(one["process"] for one in found):
            return found
        time.sleep(BETWEEN_LOOKS)
    return list(listeners_now(ports, proc))


def listeners_now(ports: list[int], proc: Path) -> Iterator[dict[str, object]]:
    """Yield who listens on the ports, with no process where none was seen to."""
    inodes: dict[int, str] = {}
    for table in ("tcp6", "tcp"):
        inodes.update(listening_inodes(read(proc / "net" / table), ports))
    holders = socket_holders({f"socket:[{inode}]" for inode in inodes.values()}, proc) if inodes else {}
    for port, inode in sorted(inodes.items()):
        pid = holders.get(f"socket:[{inode}]", "")
        process = read(proc / pid / "comm").strip() if pid else ""
        yield {"port": port, "pid": pid, "process": process, "unit": unit_of(read(proc / pid / "cgroup"))}


def socket_holders(wanted: set[str], proc: Path) -> dict[str, str]:
    """Return {socket: pid}; the oldest process that holds it."""
    found: dict[str, str] = {}
    for folder in sorted(proc.glob("[0-9]*/fd"), key=lambda path: int(path.parent.name)):
        for target in wanted.intersection(targets(folder)):
            found.setdefault(target, folder.parent.name)
    return found


def targets(folder: Path) -> Iterator[str]:
    """Yield what the links of a folder lead to; one that has gone meanwhile, or the whole folder, hides no other."""
    try:
        links = list(folder.iterdir())
    except OSError:  # the process has ended
        return
    for link in links:
        try:
            yield str(link.readlink())
        except OSError:  # the file has been closed
            continue


def unit_of(cgroup: str) -> str:
    """Return the service that a /proc/PID/cgroup names, or ''."""
    names = [part for part in cgroup.replace("\n", "/").split("/") if part.endswith(".service")]
    return names[-1] if names else ""


def addresses(name: str) -> list[str]:
    """Return the addresses of a name, [] where it does not resolve."""
    try:
        return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None)})
    except OSError:
        return []


def units(folders: Iterable[str]) -> Iterator[dict[str, object]]:
    """Yield the airflow units, also those that Ambari writes straight into a .wants folder; a masked one is none."""
    seen = set()
    for folder in folders:
        for path in [*Path(folder).glob("airflow*.service"), *Path(folder).glob("*.wants/airflow*.service")]:
            real = path.resolve()
            if UNIT.fullmatch(path.name) and real.is_file() and real not in seen:
                seen.add(real)
                yield {"name": path.name, "path": str(path), "ours": OUR_UNIT in read(real)}


def processes() -> Iterator[dict[str, str]]:
    """Yield the running parts of Airflow, without arguments, which might hold secrets."""
    for folder in Path("/proc").glob("[0-9]*"):
        found = SERVICE.match(read(folder / "cmdline").replace("\0", " "))
        if found:
            command = f"airflow {found.group(1)}"
            yield {"pid": folder.name, "command": command, "unit": unit_of(read(folder / "cgroup"))}


def configurations(stack_root: Path) -> list[str]:
    """Return the airflow.cfg files below the stack that our roles did not write."""
    found = sorted(stack_root.glob("*/airflow/airflow.cfg"))
    return [str(path) for path in found if OUR_CONFIGURATION not in read(path)]


def ambari(topology: Path) -> list[str]:
    """Say so where Ambari's agent knows a service AIRFLOW in its cluster."""
    components = sorted(set(re.findall(r'"(AIRFLOW_\w+)"', read(topology))))
    return [f"Ambari runs {', '.join(components)} ({topology})"] if components else []


if __name__ == "__main__":
    main()
