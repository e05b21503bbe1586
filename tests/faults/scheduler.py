"""The scheduler's process, and the traces of one that died, which systemd has long replaced."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.airflow_cluster import Cluster

UNIT = "airflow-scheduler"
CRASH = "StaleDataError|ResourceClosedError|out of sync|Lost connection|gone away|Traceback|process exited"
OWNERS = re.compile(r"pid=(\d+)")
LOOKS = 300


@dataclass(frozen=True)
class Scheduler:
    """The unit, and its journal from a moment on."""

    cluster: Cluster
    cursor: str

    @classmethod
    def now(cls, cluster: Cluster) -> Scheduler:
        """Remember this moment."""
        said = cluster.ssh(cluster.scheduler, f"sudo journalctl -u {UNIT} -n 1 -q -o cat --show-cursor").stdout
        return cls(cluster, said.rpartition("-- cursor: ")[2].strip())

    def sh(self, command: str) -> str:
        """Run a command on the scheduler's host and return what it says."""
        return self.cluster.ssh(self.cluster.scheduler, command).stdout.strip()

    def life(self) -> str:
        """Return what changes with every process of the unit."""
        return self.sh(f"systemctl show -p MainPID -p NRestarts -p ActiveEnterTimestamp {UNIT}")

    def crash_lines(self) -> list[str]:
        """Return the lines of the journal since then that tell of a crash."""
        journal = f"sudo journalctl -u {UNIT} -q -o cat --after-cursor '{self.cursor}'"
        return self.sh(f"{journal} | grep -E '{CRASH}' || true").splitlines()

    def connections(self) -> list[set[str]]:
        """Return who holds each connection of the unit to the database, in many looks, for most are short."""
        looks = f"for _ in $(seq {LOOKS}); do sudo ss -tnpH dst :3306; done; pgrep -d ' ' -f '[a]irflow scheduler'"
        *sockets, mine = self.sh(looks).splitlines()
        held = [set(OWNERS.findall(socket)) for socket in sockets]
        return [owners for owners in held if owners & set(mine.split())]
