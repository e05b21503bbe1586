"""Another environment comes beside the running one or not at all; the database follows the installed version.

The tests of the environment share a data node and what they build there, so each is fast, and each can run alone.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.watchdog import Watchdog
from tests.integration.recap import changing_tasks

NODE = "dn01p"
UNITS = {
    "mn02p": ("airflow-scheduler", "airflow-webserver", "airflow-triggerer"),
    "dn01p": ("airflow-worker",),
    "dn02p": ("airflow-worker",),
    "dn03p": ("airflow-worker",),
}
HOME = "/usr/hmg/2.2.1.0-552/airflow"
WHEELHOUSES = "/var/cache/airflow-ops/wheelhouse"
DUMPS = "/var/backups/airflow"
DUMP = "/usr/local/sbin/airflow-metadata-dump"

# Two packages without dependencies: each list makes an environment of its own.
MORE = {"airflow_install_extra_packages": ["tqdm==4.67.1"]}
OTHER = {"airflow_install_extra_packages": ["iniconfig==2.1.0"]}

# The last migration before that of the installed version is the one that brings 2.10.0 to it.
OLD_VERSION, OLD_REVISION = "2.10.0", "22ed7efa9da2"


@dataclass(frozen=True)
class Node:
    """The data node that installs; own is the environment that the inventory asks for."""

    cluster: Cluster
    name: str
    own: str

    def tell(self, command: str) -> str:
        """Run a command on the node and return what it prints."""
        return self.cluster.ssh(self.name, command).stdout.strip()

    @property
    def linked(self) -> str:
        """The environment that the link names."""
        return self.tell(f"sudo readlink {HOME}/venv").removeprefix("venvs/")

    @property
    def complete(self) -> set[str]:
        """The complete environments."""
        markers = self.tell(f"sudo find {HOME}/venvs -mindepth 2 -maxdepth 2 -name .complete").splitlines()
        return {Path(marker).parent.name for marker in markers}

    @property
    def worker(self) -> str:
        """The process of the worker."""
        return self.tell("systemctl is-active --quiet airflow-worker && systemctl show -P MainPID airflow-worker")

    @property
    def runs_from(self) -> str:
        """The environment that the worker has loaded."""
        return self.tell(f"sudo grep -om1 '/venvs/[^/]*' /proc/{self.worker}/maps").removeprefix("/venvs/")

    def play(self, tags: str, variables: object = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the parts of site.yml that bring the environment and the services, on this node alone."""
        more = ("-e", json.dumps(variables or {}))
        return self.cluster.playbook("site.yml", "--tags", tags, "-l", self.name, *more, check=check)

    def forget_others(self) -> None:
        """Remove every environment but its own, the unfinished too."""
        self.tell(f"sudo find {HOME}/venvs -mindepth 1 -maxdepth 1 ! -name {self.own} -exec rm -r {{}} +")


@pytest.fixture(scope="module")
def shared_node(cluster: Cluster) -> Iterator[Node]:
    """Return the data node; at the end the environments that the tests have built are gone."""
    own = cluster.ssh(NODE, f"sudo readlink {HOME}/venv").stdout.strip().removeprefix("venvs/")
    node = Node(cluster, NODE, own)
    yield node
    node.forget_others()


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    """Return the data node for one test; afterwards its worker runs its own environment again."""
    yield shared_node
    shared_node.play("airflow_install,airflow_services")
    assert shared_node.runs_from == shared_node.linked == shared_node.own


def test_a_disk_that_fills_up_leaves_what_runs_alone_and_the_repeat_succeeds(node: Node) -> None:
    node.forget_others()
    worker = node.worker
    with little_space(node):
        run = node.play("airflow_install", MORE, check=False)
    assert run.returncode
    assert "No space left on device" in run.stdout + run.stderr
    assert (node.linked, node.worker, node.complete) == (node.own, worker, {node.own})
    node.play("airflow_install", MORE)
    assert node.linked != node.own
    assert node.complete == {node.own, node.linked}
    assert (node.worker, node.runs_from) == (worker, node.own)


@contextmanager
def little_space(node: Node) -> Iterator[None]:
    """Leave the node as much space as the wheelhouse takes, which is less than the environment takes."""
    subprocess.run(["lab", "fill", node.name, "--leave", "200"], check=True)
    try:
        yield
    finally:
        subprocess.run(["lab", "free", node.name], check=True)


def test_the_worker_restarts_into_another_environment_and_back_without_a_build(node: Node) -> None:
    worker = node.worker
    node.play("airflow_install,airflow_services", MORE)
    assert node.worker != worker
    assert node.runs_from == node.linked != node.own
    back = node.play("airflow_install,airflow_services")
    assert not [task for task in changing_tasks(back) if "venv | " in task or "bring | " in task]
    assert node.runs_from == node.linked == node.own


@pytest.fixture
def compiler(node: Node) -> Iterator[None]:
    """Afterwards the packages of the distribution that a test brought are gone again."""
    tell = "dpkg-query -W -f '${Package}:${Architecture}\\n'"
    before = set(node.tell(tell).splitlines())
    yield
    brought = sorted(set(node.tell(tell).splitlines()) - before)
    node.tell(f"sudo apt-get purge --quiet --yes {' '.join(brought)}")


@pytest.fixture
def certificates(node: Node) -> Iterator[str]:
    """Give the node the certificates that this machine trusts, which between it and the index may be a site's own."""
    source = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    target = "/var/tmp/index.crt"
    config = str(node.cluster.settings.ssh_config)
    subprocess.run(["scp", "-q", "-F", config, source, f"{node.name}:{target}"], check=True)
    yield target
    node.tell(f"rm {target}")


def test_a_host_installs_from_an_index_and_keeps_what_runs(node: Node, compiler: None, certificates: str) -> None:
    """The second install in a row: the worker still runs from the environment before the last."""
    node.play("airflow_install", MORE)
    before, worker = node.linked, node.worker
    unused = "2.11.2-000000000000"
    node.tell(f"sudo mkdir {HOME}/venvs/{unused}")
    environment = {"SSL_CERT_FILE": certificates}
    index = {"airflow_install_source": "index", "airflow_install_index_environment": environment}
    node.play("airflow_install", {**index, **OTHER})
    assert node.linked not in (node.own, before)
    assert set(node.tell(f"sudo ls {HOME}/venvs").split()) == {node.own, before, node.linked}
    assert (node.worker, node.runs_from) == (worker, node.own)
    assert not node.tell(f"sudo find {WHEELHOUSES} -name '*.whl'")
    node.tell(f"sudo {HOME}/venv/bin/python -c 'import MySQLdb, iniconfig'")


def processes(cluster: Cluster) -> dict[str, str]:
    """Return the main process of each service, 0 for one that does not run."""
    return {
        f"{host} {unit}": cluster.ssh(host, f"systemctl show -P MainPID {unit}").stdout.strip()
        for host, units in UNITS.items()
        for unit in units
    }


def revisions(cluster: Cluster) -> list[list[str]]:
    """Return what the metadata database says of its version."""
    return cluster.sql("select version_num from alembic_version")


@pytest.fixture
def downgraded(cluster: Cluster) -> Iterator[list[list[str]]]:
    """Take the database of the running cluster back to an older Airflow; return its own revision."""
    own = revisions(cluster)
    cluster.airflow("db", "downgrade", "--to-version", OLD_VERSION, "--yes")
    assert revisions(cluster) == [[OLD_REVISION]]
    yield own
    cluster.playbook("site.yml", "--tags", "airflow_install,airflow_services")
    assert revisions(cluster) == own
    assert "not paused" in Watchdog(cluster).sh("watchdog status").splitlines()
    until = time.monotonic() + 60  # seconds; a service that Airflow itself ends is back after RestartSec
    while "0" in processes(cluster).values():
        assert time.monotonic() < until
        time.sleep(1)


def test_a_migration_stops_the_services_pauses_the_watchdog_and_dumps_the_database_first(
    cluster: Cluster, downgraded: list[list[str]]
) -> None:
    running = processes(cluster)
    refused = cluster.playbook("playbooks/migrate.yml", "-l", NODE, check=False)
    assert refused.returncode
    assert "The metadata database must be migrated" in " ".join((refused.stdout + refused.stderr).split())
    assert revisions(cluster) == [[OLD_REVISION]]
    assert processes(cluster) == running

    cluster.ssh(cluster.database, f"sudo chmod a-x {DUMP}")
    try:
        failed = cluster.playbook("playbooks/migrate.yml", check=False)
    finally:
        cluster.ssh(cluster.database, f"sudo chmod a+x {DUMP}")
    assert failed.returncode
    assert revisions(cluster) == [[OLD_REVISION]]
    watchdog = Watchdog(cluster)
    assert "not paused" in watchdog.sh("watchdog status").splitlines()

    start = int(time.time())
    cluster.playbook("playbooks/migrate.yml")
    assert watchdog.check() == "paused"
    assert set(processes(cluster).values()) == {"0"}
    assert revisions(cluster) == downgraded
    newer = f"sudo find {DUMPS} -name '*-before-migration.sql.gz' -newermt @{start}"
    (dump,) = cluster.ssh(cluster.database, newer).stdout.split()
    assert cluster.ssh(cluster.database, f"sudo zcat {dump} | grep -c {OLD_REVISION}").stdout.strip() == "1"
