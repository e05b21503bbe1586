"""Two hours of all that a scheduler does besides waiting, on MariaDB: it must live through them in one process.

Short mapped tasks, tasks that fail and are tried again, sensors in reschedule mode and deferred tasks, all the time.
SOAK_SECONDS says how long (default: 7200).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from tests.faults.scheduler import Scheduler

SECONDS = float(os.environ.get("SOAK_SECONDS", "7200"))
DEADLOCKS = "show global status like 'Innodb_deadlocks'"
LOOK = 15.0  # seconds between two looks
KINDS = ("mapped", "failing", "sensing", "deferring")
# A new run of each every few seconds; what the workers cannot take waits, and max_active_runs holds the rest.
DAGS = """
from datetime import datetime, timedelta, timezone
from airflow.decorators import dag, task
from airflow.exceptions import AirflowException
from airflow.models.baseoperator import BaseOperator
from airflow.triggers.temporal import TimeDeltaTrigger

class Deferring(BaseOperator):
    def __init__(self, seconds, **more):
        super().__init__(**more)
        self.seconds = seconds

    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=self.seconds)), method_name="resumed")

    def resumed(self, context, event):
        return str(event)

def soak(name):
    return dag(
        f"soak_{name}", schedule=timedelta(seconds=20), catchup=False, max_active_runs=8, is_paused_upon_creation=False,
        start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        default_args={"retries": 1, "retry_delay": timedelta(seconds=1)},
    )

@task
def numbers(count):
    return list(range(count))

@task
def square(x):
    return x * x

@task
def odd_fails(x):
    if x % 2:
        raise AirflowException("odd")

@task(trigger_rule="all_done")
def end(values):
    return True

@soak("mapped")
def mapped():
    end(square.expand(x=numbers(4)))

@soak("failing")
def failing():
    end(odd_fails.expand(x=numbers(3)))

@soak("sensing")
def sensing():
    @task.sensor(mode="reschedule", poke_interval=2, timeout=600)
    def wait(task_instance=None, dag_run=None):
        return (datetime.now(timezone.utc) - dag_run.start_date).total_seconds() > 8

    wait()

@soak("deferring")
def deferring():
    Deferring.partial(task_id="defer").expand(seconds=[2, 4])

mapped(), failing(), sensing(), deferring()
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Cluster]:
    """Return the cluster with the DAGs live; afterwards the sample tree is."""
    cluster = Cluster.standing("prod")
    tree = tmp_path / "dags"
    shutil.copytree(REPOSITORY / "dags", tree)
    (tree / "soak.py").write_text(DAGS)
    cluster.playbook("deploy_dags.yml", "-l", "datanodes", "-e", f"dag_release_source={tree}")
    for kind in KINDS:
        cluster.wait_for_dag(f"soak_{kind}")
    yield cluster
    cluster.playbook("deploy_dags.yml", "-l", "datanodes")


def ended(cluster: Cluster, since: str) -> dict[str, int]:
    """Return how many tasks of each kind have ended since then."""
    query = "select substr(dag_id, 6), count(*) from task_instance where dag_id like 'soak_%' and end_date > "
    return {kind: int(count) for kind, count in cluster.sql(f"{query} '{since}' group by 1")}


def test_a_loaded_scheduler_lives_in_one_process(loaded: Cluster) -> None:
    scheduler = Scheduler.now(loaded)
    before, since, until = scheduler.life(), loaded.sql("select utc_timestamp(6)")[0][0], time.monotonic() + SECONDS
    deadlocks = int(loaded.sql(DEADLOCKS)[0][1])
    while time.monotonic() < until:
        assert (scheduler.life(), scheduler.crash_lines()) == (before, [])
        time.sleep(LOOK)
    done = ended(loaded, since)
    print(
        f"\n{SECONDS:.0f} s, tasks that ended: {done}; deadlocks before and after: {deadlocks} {loaded.sql(DEADLOCKS)}"
    )
    assert set(done) == set(KINDS), "a kind of load is missing"
    assert (scheduler.life(), scheduler.crash_lines()) == (before, [])
