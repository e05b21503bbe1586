"""DAGs that nobody here wrote: Airflow's own examples are delivered, run on data nodes, and leave again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_ops.example_dags import QUICK_DAGS, extract
from lab.airflow_cluster import Cluster

RUN = f"example-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def ends(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Deliver the examples, run the quick ones and return the state of each; deliver the sample tree again."""
    tree: Path = tmp_path_factory.mktemp("examples") / "dags"
    extract(tree)
    cluster.playbook("deploy_dags.yml", "-l", "datanodes", "-e", f"dag_release_source={tree}")
    for dag in QUICK_DAGS:
        cluster.wait_for_dag(dag)
    cluster.trigger(*((dag, RUN, {}) for dag in QUICK_DAGS))
    yield {dag: state for (dag, _), state in cluster.wait([(dag, RUN) for dag in QUICK_DAGS]).items()}
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")


@pytest.mark.parametrize("dag", QUICK_DAGS)
def test_an_example_succeeds(ends: dict[str, str], dag: str) -> None:
    assert ends[dag] == "success"


def test_the_examples_ran_on_data_nodes(cluster: Cluster, ends: object) -> None:
    hosts = {row.host for row in cluster.tasks(RUN)} - {""}  # tasks without work are not sent to any host
    assert hosts
    assert hosts <= {"dn01p", "dn02p", "dn03p"}
