"""A healthy cluster of the lab's prod hosts with the sample DAGs live; built if it does not stand yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY


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
