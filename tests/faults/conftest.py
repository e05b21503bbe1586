"""A healthy cluster of the lab with the sample DAGs live, and a small development environment beside it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from lab.two_sides import Sides

LAB = REPOSITORY / "lab/lab"
TABLES = "connection variable slot_pool"
KEPT = "/root/tables-before-the-tests.sql"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Return the cluster; after the tests the sample tree is live again."""
    cluster = Cluster.standing("prod")
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")
    yield cluster
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")


@pytest.fixture(scope="session")
def sample_dags() -> Path:
    """Return the sample tree."""
    return REPOSITORY / "dags"


@pytest.fixture(scope="session")
def both(cluster: Cluster) -> Iterator[Sides]:
    """Build the small side; afterwards it is gone and production holds what it held."""
    subprocess.run([LAB, "destroy", "mn01d"], check=True)
    subprocess.run([LAB, "up", "mn01d"], check=True)
    dev = Cluster.named("dev")
    dev.playbook("tests/faults/connection_sync/dev.yml", "-l", "mn01d")
    dev.airflow("db", "migrate")
    cluster.ssh(cluster.database, f"sudo sh -c 'umask 077; mariadb-dump airflow {TABLES} >{KEPT}'")
    try:
        yield Sides(cluster, dev)
    finally:
        cluster.ssh(cluster.database, f"sudo sh -c 'mariadb airflow <{KEPT} && rm {KEPT}'")
        subprocess.run([LAB, "destroy", "mn01d"], check=True)


@pytest.fixture
def sides(both: Sides) -> Iterator[Sides]:
    """Return both sides with twenty connections in prod and none in dev; no test may change prod's."""
    both.seed(20)
    yield both
    assert both.table(both.prod) == both.seeded
