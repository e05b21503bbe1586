"""A built cluster as its users see it: playbooks, the airflow command on the scheduler host, SQL."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lab import saved, state, vault
from lab.hosts import DEFAULT_HOSTS
from lab.image import digest
from lab.settings import REPOSITORY, Settings, from_environment

FINISHED = ("success", "failed")
POLL = 1.0  # seconds
# What a built cluster depends on, below the repository: folders of Ansible and our own code, and files.
BUILT_FROM = ("roles", "playbooks", "inventories", "library", "module_utils", "src", "lab")
BUILT_FROM_PLUGINS = ("action_plugins", "filter_plugins", "callback_plugins", "inventory_plugins", "doc_fragments")
BUILT_FROM_FILES = ("*.yml", "ansible.cfg", "pyproject.toml", "requirements.lock")
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


def built_from(environment: str) -> str:
    """Return the name of a cluster of this tree: its environment and a digest of all files that make it what it is."""
    folders = [REPOSITORY / name for name in (*BUILT_FROM, *BUILT_FROM_PLUGINS)]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files += [path for pattern in BUILT_FROM_FILES for path in REPOSITORY.glob(pattern)]
    kept = [path for path in files if path.suffix != ".pyc" and not path.is_relative_to(REPOSITORY / "lab/inventory")]
    sums = {str(path.relative_to(REPOSITORY)): sha256(path.read_bytes()).hexdigest() for path in kept}
    return f"{environment}-{digest(sums)}"


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
        """Return the cluster of an environment; one of another tree, or whose services do not all run, is built first.

        In a lab without any host, a copy of one that this tree has built before does instead, where there is one;
        otherwise the new one is saved for the next.
        """
        cluster, name = cls.named(environment), built_from(environment)
        empty = not state.load(cluster.settings).hosts
        if empty and saved.exists(cluster.settings, name):
            subprocess.run(["lab", "restore", name], check=True)
            cluster.playbook("site.yml", "--tags", ADDRESSES)
            cluster._built.write_text(name, "utf-8")
        subprocess.run(["lab", "up", *cluster.hosts], check=True)
        if not cluster._is(name) or not cluster.runs():
            cluster._built.unlink(missing_ok=True)
            cluster.playbook("lab/services/services.yml")
            cluster.playbook("site.yml")
            cluster._built.write_text(name, "utf-8")
            if empty:
                cluster.save(name)
        return cluster

    @property
    def hosts(self) -> list[str]:
        """Return the names of its hosts."""
        return [host.name for host in DEFAULT_HOSTS if host.environment == self.environment]

    @property
    def _built(self) -> Path:
        """Return the file that says which tree built the cluster, beside the secrets that its hosts were given."""
        return self.settings.inventory / f"built-{self.environment}"

    def _is(self, name: str) -> bool:
        return self._built.exists() and self._built.read_text("utf-8") == name

    def save(self, name: str) -> None:
        """Save the hosts, which boot again for it, so that other labs of this tree need not build theirs.

        :param name: what `built_from` gave before they were built.
        """
        subprocess.run(["lab", "save", name, *self.hosts], check=True)
        self.playbook("playbooks/start.yml")
        self._built.write_text(name, "utf-8")

    def runs(self) -> bool:
        """Say whether all services run; one that has just booted gets the time to."""
        return self.playbook("playbooks/start.yml", check=False).returncode == 0

    def forget_ends(self) -> None:
        """Forget which services died so far: what other tests kill is no drift."""
        for host in self.hosts:
            self.ssh(host, "sudo rm -rf /var/lib/airflow-ends")

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
