"""What only hosts with Airflow can show: a tree that one of them cannot load never goes live."""

import os
import shutil
import signal
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from lab import process_tree
from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY

READERS = ("mn02p", "dn01p", "dn02p", "dn03p")
WORKER = "dn01p"  # the first one: it parses for all workers
HOME = "/usr/hmg/2.2.1.0-552/airflow"
NEEDS_A_PACKAGE = """\
import pendulum
import only_on_the_scheduler
from airflow import DAG

with DAG("needs_a_package", start_date=pendulum.datetime(2024, 1, 1), schedule=None):
    pass
"""
LOADS_ONLY_OFFLINE = """\
import os
from hashlib import sha256
from airflow import DAG
from airflow.configuration import conf

options = [str(value) for own in conf.as_dict(display_sensitive=True).values() for value in own.values()]
known = [*options, *os.environ.values()]
if any("airflow:" in value or sha256(value.encode()).hexdigest() in {keys} for value in known):
    raise RuntimeError("there is a database")
"""


@pytest.fixture
def tree(tmp_path: Path, sample_dags: Path) -> Path:
    """Return a changed copy of the sample tree."""
    tree = tmp_path / "dags"
    shutil.copytree(sample_dags, tree)
    (tree / "NGIOS_UTIL/changed.sh").write_text(f"# {os.urandom(8).hex()}\n")
    return tree


def live(cluster: Cluster) -> dict[str, str]:
    return {host: cluster.ssh(host, f"sudo readlink {HOME}/dags").stdout.strip() for host in READERS}


def deliver(cluster: Cluster, tree: Path, check: bool = True) -> str:
    """Deliver and return all that the run said, in one line; with `check` all hosts must agree afterwards."""
    run = cluster.playbook("deploy_dags.yml", "-l", "datanodes", "-e", f"dag_release_source={tree}", check=check)
    assert check or run.returncode != 0
    assert not check or len(set(live(cluster).values())) == 1
    return " ".join((run.stdout + run.stderr).split())


def test_a_package_that_only_a_worker_lacks_stops_the_run(cluster: Cluster, tree: Path) -> None:
    before = live(cluster)
    (tree / "PROC_TEST").mkdir(exist_ok=True)
    (tree / "PROC_TEST/needs_a_package.py").write_text(NEEDS_A_PACKAGE)
    packages = cluster.ssh("mn02p", f"sudo sh -c 'ls -d {HOME}/venv/lib/python3*/site-packages'").stdout.strip()
    cluster.ssh("mn02p", f"sudo touch {packages}/only_on_the_scheduler.py")
    try:
        said = deliver(cluster, tree, check=False)
    finally:
        cluster.ssh("mn02p", f"sudo rm {packages}/only_on_the_scheduler.py")
    assert WORKER in said
    assert "PROC_TEST/needs_a_package.py" in said
    assert "No module named 'only_on_the_scheduler'" in said
    assert "mn02p failed" not in said
    assert live(cluster) == before
    (tree / "PROC_TEST/needs_a_package.py").unlink()
    deliver(cluster, tree)


def test_a_worker_without_its_airflow_stops_the_run(cluster: Cluster, tree: Path) -> None:
    before = live(cluster)
    cluster.ssh(WORKER, f"sudo mv {HOME}/venv {HOME}/venv.away")
    try:
        said = deliver(cluster, tree, check=False)
    finally:
        cluster.ssh(WORKER, f"sudo mv {HOME}/venv.away {HOME}/venv")
    assert WORKER in said
    assert "has no Airflow" in said
    assert live(cluster) == before
    deliver(cluster, tree)


def test_a_controller_killed_while_the_hosts_parse_changes_nothing(cluster: Cluster, tree: Path) -> None:
    before = live(cluster)
    process = subprocess.Popen(
        ["ansible-playbook", "deploy_dags.yml", "-l", "datanodes", "-e", f"dag_release_source={tree}"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    assert any(line.startswith("dag_release: parse ") for line in process.stdout)
    process_tree.kill(process.pid)
    assert process.wait() == -signal.SIGKILL
    assert live(cluster) == before
    deliver(cluster, tree)
    assert live(cluster) != before


def test_an_error_that_only_the_database_brings_to_light_is_read_back(cluster: Cluster, tree: Path) -> None:
    known = cluster.secrets()
    keys = [sha256(known[f"airflow_config_{key}_key"].encode()).hexdigest() for key in ("fernet", "secret")]
    text = LOADS_ONLY_OFFLINE.format(keys=keys)
    (tree / "only_offline.py").write_text(text)
    try:
        said = deliver(cluster, tree)
    finally:
        (tree / "only_offline.py").unlink()
        deliver(cluster, tree)
    assert "New import error in Airflow: only_offline.py: line 9: RuntimeError: there is a database" in said
