"""Plain hosts of the lab as an environment of its own: all that a delivery needs, without Airflow.

They boot in seconds, so the fault tests and the benchmark deliver to them. The first host is the scheduler, the others
are workers.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lab.hosts import extra_host
from lab.inventory import connection, secret_values
from lab.settings import REPOSITORY, Settings, from_environment
from lab.state import agree

ENVIRONMENT = "plain"
ELSEWHERE = "nowhere.invalid"  # the database and the broker that no delivery asks
HOME = "/usr/hmg/2.2.1.0-552/airflow"


@dataclass(frozen=True)
class PlainCluster:
    """The first so many plain hosts of the lab, and the inventory file that names them."""

    settings: Settings
    hosts: tuple[str, ...]
    inventory: Path

    @classmethod
    def up(cls, count: int, inventory: Path) -> PlainCluster:
        """Boot the hosts, write their inventory and give them the account and the folders of Airflow."""
        subprocess.run([REPOSITORY / "lab/lab", "up", "--extra", str(count)], check=True, stdout=subprocess.DEVNULL)
        names = tuple(extra_host(number).name for number in range(1, count + 1))
        cluster = cls(agree(from_environment(os.environ)), names, inventory).first(count, inventory)
        cluster.playbook("site.yml", "--tags", "airflow")
        return cluster

    def first(self, count: int, inventory: Path) -> PlainCluster:
        """Return the cluster of only the first hosts, whose inventory is written."""
        values = groups(self.settings, self.hosts[:count])
        inventory.write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), "utf-8")
        return replace(self, hosts=self.hosts[:count], inventory=inventory)

    @property
    def scheduler(self) -> str:
        """The host that switches last."""
        return self.hosts[0]

    @property
    def workers(self) -> tuple[str, ...]:
        """The hosts that switch first."""
        return self.hosts[1:]

    def ssh(self, host: str, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell command on a host as mbsadmin."""
        argv = ["ssh", "-F", str(self.settings.ssh_config), host, command]
        return subprocess.run(argv, capture_output=True, text=True, check=check, stdin=subprocess.DEVNULL)

    def everywhere(self, command: str, hosts: tuple[str, ...] | None = None) -> dict[str, str]:
        """Run a shell command on all hosts at once and return what each printed."""
        names = self.hosts if hosts is None else hosts
        with ThreadPoolExecutor(16) as pool:
            done = pool.map(lambda name: self.ssh(name, command).stdout, names)
            return dict(zip(names, done, strict=True))

    def argv(self, playbook: str, *args: str) -> list[str]:
        """Return the command line of a playbook on this cluster."""
        return ["ansible-playbook", "-i", str(self.inventory), playbook, *args]

    def playbook(self, name: str, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the repository, from its root."""
        argv = self.argv(name, *args)
        done = subprocess.run(
            argv, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False, errors="replace"
        )
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(argv)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


def environment() -> dict[str, str]:
    """Return the environment in which a playbook of the repository runs."""
    return {**os.environ, "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}


def groups(settings: Settings, names: tuple[str, ...]) -> dict[str, Any]:
    """Return an inventory with the groups of inventories/<env>/topology.yml and every value that preflight asks for."""
    addresses = {name: {"ansible_host": extra_host(int(name[1:])).address(settings.network)} for name in names}
    values = {"airflow_environment": ENVIRONMENT, "ansible_become": True, **connection(settings), **_values()}
    first: dict[str, Any] = {names[0]: {}}
    others: dict[str, Any] = {name: {} for name in names[1:]}
    services = ("masternodes", "airflow_scheduler", "airflow_webserver", "airflow_triggerer")
    return {
        ENVIRONMENT: {"hosts": addresses, "vars": values},
        **{group: {"hosts": dict(first)} for group in services},
        **{group: {"hosts": dict(others)} for group in ("datanodes", "airflow_worker")},
        "airflow": {"hosts": {name: {} for name in names}},
        **{group: {"hosts": {}} for group in ("metadata_db", "broker")},
    }


def _values() -> dict[str, Any]:
    return {
        "ansible_python_interpreter": "/usr/bin/python3",
        "metadata_db_external": True,
        "metadata_db_host": ELSEWHERE,
        "metadata_db_port": 3306,
        "metadata_db_name": "airflow",
        "metadata_db_user": "airflow",
        "broker_external": True,
        "broker_kind": "rabbitmq",
        "broker_host": ELSEWHERE,
        "broker_port": 5672,
        "broker_vhost": "airflow",
        "broker_user": "airflow",
        **secret_values(ENVIRONMENT),
    }
