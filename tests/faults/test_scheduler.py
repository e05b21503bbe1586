"""What killed schedulers on MariaDB: a mapped task expanded by two, and a connection that two processes hold."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.scheduler import UNIT, Scheduler
from tests.faults.watchdog import wait

RUNS = 64
DAG = f"""
from datetime import datetime, timezone
from airflow.decorators import dag, task
from airflow.operators.empty import EmptyOperator

@dag(
    schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    max_active_runs={RUNS}, max_active_tasks={RUNS},
)
def mapped():
    @task
    def lst():
        return [1, 2]

    @task
    def sq(x):
        return x * x

    @task
    def tot(squares):
        return sum(squares)

    tot(sq.expand(x=lst())) >> EmptyOperator(task_id="end")

mapped()
"""


@pytest.fixture(scope="module")
def delivered(cluster: Cluster, sample_dags: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return the cluster with the mapped DAG live on all its hosts."""
    tree = tmp_path_factory.mktemp("mapped") / "dags"
    shutil.copytree(sample_dags, tree)
    (tree / "mapped.py").write_text(DAG)
    cluster.playbook("deploy_dags.yml", "-l", "datanodes", "-e", f"dag_release_source={tree}")
    cluster.wait_for_dag("mapped")
    yield cluster
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")


def test_no_process_of_the_scheduler_holds_a_connection_of_another(cluster: Cluster) -> None:
    scheduler = Scheduler.now(cluster)
    scheduler.sh(f"sudo systemctl restart {UNIT}")
    # Before anybody asks the health page, whose first look closed the connection that it had inherited.
    parsers = "pgrep -c -f '^airflow scheduler -- DagFileProcessorManager' || true"
    wait(lambda: scheduler.sh(parsers) == "1", 120, "the scheduler does not parse")
    held = scheduler.connections()
    assert held, "the looks saw no connection at all"
    assert [owners for owners in held if len(owners) > 1] == []


def test_many_mapped_runs_at_once_leave_the_scheduler_alone(delivered: Cluster) -> None:
    runs = [("mapped", f"{time.time():.0f}_{number}") for number in range(RUNS)]
    scheduler = Scheduler.now(delivered)
    before = scheduler.life()
    delivered.trigger(*[(dag, run, {}) for dag, run in runs])
    states = delivered.wait(runs, seconds=1200)
    assert set(states.values()) == {"success"}
    hosts = {row.host for _, run in runs[:20] for row in delivered.tasks(run) if row.host}
    assert hosts == {"dn01p", "dn02p", "dn03p"}
    assert (scheduler.life(), scheduler.crash_lines()) == (before, [])
