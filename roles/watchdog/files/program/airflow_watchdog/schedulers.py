"""Which schedulers of Airflow run on a host, whoever started them and however, as /proc shows them.

Modules of Ansible use it, too (module_utils links to this folder), so its neighbour is imported by a dot.
"""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import time
from typing import Any, NamedTuple

from .redact import line

MAIN_PROCESS = ["systemctl", "show", "--property=MainPID", "--value", "airflow-scheduler.service"]
INTERPRETER = re.compile(r"(python|pypy)[\d.]*$")
REAPER = re.compile(rb"(/[^\0]*/)?systemd\0")
# The titles that Airflow gives to the children of a scheduler. The first one is that of a direct child, which ends with
# its scheduler; the others are children of that child, and of a dag-processor that stands alone.
MANAGER = "airflow scheduler -- DagFileProcessorManager"
PARSER = "airflow scheduler - DagFileProcessor"
LISTENS = "0A"  # a state of /proc/net/tcp
# A scheduler writes its row some seconds after its process began, on a busy host a minute or two; clocks are corrected.
ROW_AFTER = (-5.0, 300.0)


class Process(NamedTuple):
    """What /proc tells of a process of a scheduler."""

    pid: int
    parent: int
    account: str
    since: float  # seconds since the epoch
    command: str  # without secrets
    own: bool  # of the unit: in the cgroup of its main process


class Row(NamedTuple):
    """A scheduler as the metadata database knows it; moments in seconds since the epoch, by its host's clock."""

    job: int
    host: str
    account: str
    since: float
    beat: float
    running: bool


def is_scheduler(arguments: list[str]) -> bool:
    """Say whether a command line is that of a scheduler, by its title or as Python runs it."""
    title = arguments[0]
    words = title.split() if len(arguments) == 1 else arguments  # setproctitle leaves a single one behind
    if title.startswith("airflow scheduler") and not title.startswith((MANAGER, PARSER)):
        return title[len("airflow scheduler") :][:1] in ("", " ")
    if not words or not INTERPRETER.match(words[0].rpartition("/")[2]) or {"-h", "--help"} & {*words}:
        return False
    places = [number for number, word in enumerate(words[:-1]) if word.rpartition("/")[2] == "airflow"]
    return any(words[number + 1] == "scheduler" for number in places)


def heads(found: list[Process]) -> list[Process]:
    """Return the schedulers among these processes, the oldest first.

    A child with the same command line (the health page) is none; nor is one that outlived a killed scheduler, which is
    known by the port that it listens on, where its files may be seen.
    """
    pids = {process.pid for process in found}
    tops = [process for process in found if process.parent not in pids]
    sockets = listening() if tops else set()
    return sorted((each for each in tops if not holds(each.pid, sockets)), key=lambda each: each.since)


def main_process() -> int:
    """Return the main process of the unit, 0 when there is none."""
    shown = subprocess.run(MAIN_PROCESS, capture_output=True, text=True, check=False).stdout.strip()
    return int(shown or 0)


def seen(main: int) -> dict[str, Any]:
    """Return what a module tells of this host: its name, as Airflow has it, and its schedulers."""
    return {"hostname": socket.gethostname(), "schedulers": [each._asdict() for each in heads(processes(main))]}


def processes(main: int) -> list[Process]:
    """Return every process of this host that a scheduler's command line or a scheduler's child gives away.

    :param main: the main process of the unit, 0 when there is none.
    """
    pids: set[int] = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        command = command_of(int(name))
        if b"scheduler" not in command:
            continue
        arguments = split(command)
        if is_scheduler(arguments):
            pids.add(int(name))
        elif arguments[0].startswith(MANAGER):
            pids.add(parent_of(int(name)))  # whatever it is called; not who takes over the children of a dead one
    group = group_of(main)
    known = (process_of(pid, group) for pid in pids - {0, 1, os.getpid()} if not REAPER.match(command_of(pid)))
    return [process for process in known if process]


def command_of(pid: int) -> bytes:
    """Return the command line; nothing for one that has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def split(command: bytes) -> list[str]:
    """Return the arguments of a command line; a title is a single one."""
    return command.rstrip(b"\0").decode(errors="replace").split("\0")


def stat_of(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on; nothing for one that has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2].decode().split()
    except OSError:
        return []


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 for none."""
    return int((stat_of(pid) or ["", "0"])[1])


def process_of(pid: int, group: str) -> Process | None:
    """Return what is known of a process; None when it has ended."""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        ticks = int(stat_of(pid)[19])
    except (OSError, IndexError):
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    own = bool(group) and group_of(pid) == group
    command = line(" ".join(split(command_of(pid))))
    return Process(pid, parent_of(pid), account_of(uid), round(time.time() - age, 2), command, own)


def group_of(pid: int) -> str:
    """Return the cgroups of a process; empty for none. Those of a unit are nobody else's."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
            return file.read() if pid else ""
    except OSError:
        return ""


def account_of(uid: int) -> str:
    """Return the name of an account, its number where it has none, as in a container."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def listening(port: int | None = None) -> set[str]:
    """Return the sockets that listen, on one port or on any."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                lines = [line.split() for line in file]
        except OSError:  # a host without IPv6
            continue
        for fields in lines[1:]:
            if fields[3] == LISTENS and port in (None, int(fields[1].rpartition(":")[2], 16)):
                found.add(f"socket:[{fields[9]}]")
    return found


def holds(pid: int, sockets: set[str]) -> bool:
    """Say whether a process has one of the sockets open; no where it belongs to somebody else."""
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{name}") in sockets for name in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def answers_itself(main: int, port: int, found: list[Process]) -> bool:
    """Say whether a process of the unit with this main process listens on a port; the likely ones are asked first."""
    sockets, group = listening(port), group_of(main)
    if any(process.own and holds(process.pid, sockets) for process in found):
        return True
    pids = map(int, filter(str.isdigit, os.listdir("/proc"))) if group and sockets else ()
    return any(group_of(pid) == group and holds(pid, sockets) for pid in pids)


def is_same(one: str, other: str) -> bool:
    """Say whether two names are those of one host, with or without its domain."""
    return one.partition(".")[0] == other.partition(".")[0]


def row_of(host: str, since: float, rows: list[Row]) -> Row | None:
    """Return the row that a process wrote which began at this moment on this host; None when it wrote none."""
    earliest, latest = ROW_AFTER
    fit = [row for row in rows if is_same(row.host, host) and earliest <= row.since - since <= latest]
    return min(fit, key=lambda row: abs(row.since - since), default=None)


def paired(host: str, found: list[tuple[int, float]], rows: list[Row], alive: float) -> dict[int, Row]:
    """Return the row that each process of a host wrote, given as process id and begin, the first ones first.

    A row that has ended is nobody's: its begin alone would make one of ours of a scheduler of another database.

    :param alive: from which moment on a heartbeat shows one that lives.
    """
    pairs: dict[int, Row] = {}
    left = [row for row in rows if is_same(row.host, host) and (row.running or row.beat >= alive)]
    for pid, since in found:
        row = row_of(host, since, left)
        if row:
            pairs[pid] = row
            left.remove(row)
    # A clock that was set while they ran: then it is only known that somebody here writes.
    writing = sorted((row for row in left if row.running and row.beat >= alive), key=lambda row: row.beat)
    for pid, _since in found:
        if pid not in pairs and writing:
            pairs[pid] = writing.pop()
    return pairs


def text_of(process: Process, where: str = "") -> str:
    """Return in words who a scheduler is."""
    begin = f"process {process.pid} of {process.account}{where} since {utc(process.since)}"
    return f"{begin} ({process.command})"


def of_another_database(since: float, row: Row | None, now: float) -> bool:
    """Say whether a scheduler works with another database: it has had the time to write here, and has not.

    So does the row of one that was killed and had begun at about the same time, which nobody has called dead yet.
    """
    return now - max(since, row.beat if row else 0) > ROW_AFTER[1]


def utc(moment: float) -> str:
    """Return a moment as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def row_text(host: str, account: str, since: float) -> str:
    """Return in words a scheduler of which only the database knows."""
    return f"that of {host} writes heartbeats (account {account}, since {utc(since)})"
