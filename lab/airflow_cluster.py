"""A built cluster as its users see it: playbooks, the airflow command on the scheduler host, SQL."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from lab import saved, state, vault
from lab.hosts import DEFAULT_HOSTS
from lab.image import digest
from lab.settings import REPOSITORY, Settings, from_environment

FINISHED = ("success", "failed")
POLL = 1.0  # seconds
# What a built cluster depends on, below the repository: folders of Ansible, and our own code.
BUILT_FROM = ("roles", "playbooks", "inventories", "library", "module_utils", "src", "lab")
BUILT_FROM_PLUGINS = ("action_plugins", "filter_plugins")
# The roles that write addresses, which differ from lab to lab.
ADDRESSES = "metadata_db,broker"
TRIGGER = """
from airflow.api.common.trigger_dag import trigger_dag
from airflow.models import DagModel
for dag, run, conf in runs:
    trigger_dag(dag, run_id=run, conf=conf, replace_microseconds=False)
for dag in {dag for dag, _, _ in runs}:
    DagModel.get_dagmodel(dag).set_is_paused(False)
"""


def built_from() -> str:
    """Return a digest of all files that make a cluster what it is."""
    folders = [REPOSITORY / name for name in (*BUILT_FROM, *BUILT_FROM_PLUGINS)]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in files if path.suffix != ".pyc" and not path.is_relative_to(REPOSITORY / "lab/inventory")]
    return digest({str(path.relative_to(REPOSITORY)): sha256(path.read_bytes()).hexdigest() for path in kept})


@dataclass(frozen=True)
class TaskRow:
    """One task instance as the metadata database knows it."""

    dag: str
    run: str
    task: str
    map_index: int
    state: str
    host: str


@dataclass(frozen=True)
class Cluster:
    """The hosts of one environment of the lab."""

    settings: Settings
    environment: str
    scheduler: str
    database: str

    @classmethod
    def named(cls, environment: str) -> Cluster:
        """Return the cluster of prod or dev in the lab that the environment variables name."""
        names = {"prod": ("mn02p", "mn01p"), "dev": ("mn01d", "mn01d")}[environment]
        return cls(from_environment(os.environ), environment, *names)

    @classmethod
    def standing(cls, environment: str) -> Cluster:
        """Return the cluster of an environment; one whose services do not all run is built first.

        In a lab that has none of its hosts, a copy of one that this tree has built before does instead, where there is
        one; otherwise the new one is saved for the next.
        """
        cluster = cls.named(environment)
        hosts = [host.name for host in DEFAULT_HOSTS if host.environment == environment]
        name = f"{environment}-{built_from()}"
        new = not set(hosts) & set(state.load(cluster.settings).hosts)
        if new and saved.exists(cluster.settings, name):
            subprocess.run(["lab", "restore", name], check=True)
            cluster.playbook("site.yml", "--tags", ADDRESSES)
        subprocess.run(["lab", "up", *hosts], check=True)
        if not cluster.runs():
            cluster.playbook("lab/services/services.yml")
            cluster.playbook("site.yml")
            if new:
                cluster.save()
        return cluster

    def save(self) -> None:
        """Save the hosts, which boot again for it, so that other labs of this tree need not build theirs."""
        hosts = [host.name for host in DEFAULT_HOSTS if host.environment == self.environment]
        subprocess.run(["lab", "save", f"{self.environment}-{built_from()}", *hosts], check=True)
        self.playbook("playbooks/start.yml")

    def runs(self) -> bool:
        """Say whether all services run; one that has just booted gets the time to."""
        return self.playbook("playbooks/start.yml", check=False).returncode == 0

    def secrets(self) -> dict[str, Any]:
        """Return what the vault of the environment holds."""
        file = self.settings.inventory / "group_vars" / self.environment / "vault.yml"
        return vault.read(file, self.settings.vault_password)

    def ssh(self, host: str, command: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a shell command on a host as mbsadmin."""
        argv = ["ssh", "-F", str(self.settings.ssh_config), host, command]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, input=stdin)
        if check and done.returncode:
            raise AssertionError(f"{command} on {host} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def airflow(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the airflow command on the scheduler host, in the login shell of airflow, as an admin does."""
        return self.ssh(self.scheduler, f"sudo -iu airflow airflow {shlex.join(args)}", check=check)

    def sql(self, query: str) -> list[list[str]]:
        """Run a query on the metadata database and return its rows."""
        done = self.ssh(self.database, f"sudo mariadb -N -B airflow -e {shlex.quote(query)}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def playbook(self, name: str, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the repository, from its root, as the README says."""
        argv = ["ansible-playbook", "-i", str(REPOSITORY / "inventories" / self.environment)]
        argv += ["-i", str(self.settings.inventory / f"{self.environment}.yml"), name, *args]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self.settings.vault_password)
        done = subprocess.run(argv, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(argv)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def trigger(self, *runs: tuple[str, str, dict[str, object]]) -> None:
        """Make runs (DAG id, run id, conf) and then unpause their DAGs, so that those of a new DAG start at once."""
        self.ssh(self.scheduler, "sudo -iu airflow python -", stdin=f"runs = {runs!r}\n{TRIGGER}")

    def wait(self, runs: Iterable[tuple[str, str]], seconds: float = 180) -> dict[tuple[str, str], str]:
        """Wait until the runs (DAG id, run id) have ended and return the state of each."""
        wanted, until = list(runs), time.monotonic() + seconds
        while True:
            rows = self.sql("select dag_id, run_id, state from dag_run")
            states = {(dag, run): state for dag, run, state in rows}
            seen = {key: states.get(key, "missing") for key in wanted}
            if all(state in FINISHED for state in seen.values()) or time.monotonic() > until:
                return seen
            time.sleep(POLL)

    def wait_for_dag(self, dag: str, seconds: float = 300) -> None:
        """Wait until the scheduler has found a DAG (it lists the folder every 30 s) and can run it.

        `airflow dags reserialize` would be faster, but it empties the table that the scheduler writes at the same time.
        """
        query = f"select 1 from dag join serialized_dag using (dag_id) where dag_id = '{dag}' and is_active"
        until = time.monotonic() + seconds
        while not self.sql(query):
            if time.monotonic() > until:
                raise TimeoutError(f"the scheduler does not know the DAG {dag} after {seconds:.0f} s")
            time.sleep(POLL)

    def tasks(self, run: str) -> list[TaskRow]:
        """Return the task instances of a run."""
        query = "select dag_id, run_id, task_id, map_index, ifnull(state, 'none'), hostname from task_instance"
        rows = self.sql(f"{query} where run_id = '{run}' order by dag_id, task_id, map_index")
        return [TaskRow(dag, run_id, task, int(index), state, host) for dag, run_id, task, index, state, host in rows]
