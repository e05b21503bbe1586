"""Source and target of sync_meta.yml, as tests and benchmark use them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab import two_sides_programs as programs
from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY

LIMIT = 60  # seconds for what takes one or two
SECRET = "planted-7f3a91c2"
HOSTS = {"mn01p": "mn01d", "mn02p": "mn01d", "dn01p": "dn01d", "dn02p": "dn01d", "dn03p": "dn01d"}
BACKUPS = "/var/lib/airflow-ops-backups"
LOCK = "/var/lib/airflow-ops/locks/connection_sync.json"


@dataclass
class Run:
    """A run of a playbook, and all it said."""

    process: subprocess.Popen[str]
    said: str = ""

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        self.said = self.process.communicate(timeout=300)[0]
        return self.process.returncode

    @property
    def words(self) -> str:
        """What it said, without line breaks."""
        return " ".join(self.said.split())

    @property
    def changes(self) -> int:
        """How many changes it reported."""
        return sum(map(int, re.findall(r"\bchanged=(\d+)", self.said.partition("PLAY RECAP")[2])))


@dataclass
class Sides:
    """Source and target, and what all runs said so far."""

    prod: Cluster
    dev: Cluster
    seeded: list[list[str]] = field(default_factory=list)  # the table of prod
    runs: list[Run] = field(default_factory=list)

    def start(self, *args: str, playbook: str = "sync_meta.yml", both: bool = True) -> Run:
        """Start a playbook, with the inventories of both sides or of dev alone."""
        argv = ["ansible-playbook"]
        for name in ("prod", "dev") if both else ("dev",):
            argv += ["-i", str(REPOSITORY / "inventories" / name)]
            argv += ["-i", str(self.dev.settings.inventory / f"{name}.yml")]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self.dev.settings.vault_password)
        run = Run(
            subprocess.Popen(
                [*argv, playbook, *args], cwd=REPOSITORY, env=environment, text=True, start_new_session=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )
        )  # fmt: skip
        self.runs.append(run)
        return run

    def sync(self, check: bool = True, verbose: bool = True, **variables: Any) -> Run:
        """Run sync_meta.yml to its end, as verbose as can be, so that a leak would show."""
        values = {"connection_sync_hosts": HOSTS, **variables}
        run = self.start("-e", json.dumps(values), *(["-vvv", "--diff"] if verbose else []))
        code = run.end()
        if check and code:
            raise AssertionError(run.said)
        return run

    def restore(self, *args: str) -> Run:
        """Run restore_meta.yml on dev."""
        run = self.start("--diff", *args, playbook="playbooks/restore_meta.yml", both=False)
        assert run.end() == 0, run.said
        return run

    def inside(self, cluster: Cluster, program: str, **values: Any) -> Any:
        """Run a program in the Python of a cluster's Airflow and return its answer."""
        done = cluster.ssh(cluster.scheduler, "sudo -iu airflow python -", stdin=program.format(**values))
        return json.loads(done.stdout.partition("ANSWER")[2])

    def seed(self, count: int) -> None:
        """Give prod so many connections, and dev none."""
        self.inside(self.prod, programs.SEED, count=count, secret=SECRET)
        self.dev.sql("delete from connection")
        self.seeded = self.table(self.prod)

    def add(self, cluster: Cluster, *rows: dict[str, Any], model: str = "Connection") -> None:
        """Add rows through Airflow's model."""
        self.inside(cluster, programs.ADD, rows=list(rows), model=model)

    def loaded(self, cluster: Cluster) -> dict[str, dict[str, Any]]:
        """Return all connections as tasks get them."""
        found: dict[str, dict[str, Any]] = self.inside(cluster, programs.LOADED)
        return found

    def table(self, cluster: Cluster) -> list[list[str]]:
        """Return the rows as they are stored, which shows the slightest write."""
        return cluster.sql("select * from connection order by id")

    def backups(self) -> list[str]:
        """Return the names of the backups."""
        return self.dev.ssh("mn01d", f"sudo ls {BACKUPS} 2>/dev/null || true").stdout.split()

    def holder(self) -> dict[str, Any]:
        """Return what the lock file says."""
        text = self.dev.ssh("mn01d", f"cat {LOCK}").stdout
        holder: dict[str, Any] = json.loads(text) if text else {}
        return holder

    @contextmanager
    def gate(
        self, cluster: Cluster, statement: str, waiting: str, then: str = "rollback"
    ) -> Iterator[Callable[[], None]]:
        """Hold the table of a database with a statement; yield what waits until a run stands before it.

        :param waiting: how the statement of the run that waits looks in the list of processes.
        :param then: how the gate opens.
        """
        command = f"sudo mariadb --force airflow -e {shlex.quote(f'{statement}; do sleep(300); {then}')}"
        ssh = ["ssh", "-F", str(cluster.settings.ssh_config), cluster.database, command]
        holding = subprocess.Popen(ssh, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: bool(sessions(cluster, "do sleep(300)%")), "the gate holds")
            yield lambda: wait_for(lambda: bool(sessions(cluster, waiting)), "a run stands before the gate")
        finally:
            end_statement(cluster, "do sleep(300)%")
            holding.wait(LIMIT)


def sessions(cluster: Cluster, statement: str, state: str = "%") -> list[str]:
    """Return the numbers of the sessions that run a statement; none while the server is down."""
    query = (
        "select id from information_schema.processlist "
        f"where info like '{statement}' and state like '{state}' and id <> connection_id()"
    )
    done = cluster.ssh(cluster.database, f"sudo mariadb -N -B -e {shlex.quote(query)}", check=False)
    return done.stdout.split()


def end_statement(cluster: Cluster, statement: str, state: str = "%") -> None:
    """End a statement in all sessions."""
    for number in sessions(cluster, statement, state):
        cluster.ssh(cluster.database, f"sudo mariadb -e 'kill query {number}'", check=False)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = LIMIT) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.2)
