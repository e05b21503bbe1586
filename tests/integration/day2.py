"""What the tests of a day's work share: a playbook's output, and DAGs that behave as the conf of a run says."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.airflow_cluster import Cluster

HOME = "/usr/hmg/2.2.1.0-552/airflow"
FILE = f"{HOME}/dags/day2_test.py"
WORKER = "dn01p"
# One run fails or not as its conf says, and with hold its first task, on one worker, runs until that file is there.
GO = "/tmp/day2_go"
DAG = f"""
from datetime import datetime, timezone
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.empty import EmptyOperator
start = datetime(2024, 1, 1, tzinfo=timezone.utc)
with DAG("day2_test", schedule=None, start_date=start, is_paused_upon_creation=False):
    first = BashOperator(
        task_id="first", queue="{WORKER}",
        bash_command="echo message $message; until [ $hold = 0 ] || [ -e {GO} ]; do sleep 0.2; done; exit $code",
        env={{name: "{{{{ dag_run.conf.get('" + name + "', 0) }}}}" for name in ("message", "hold", "code")}},
        append_env=True,
    )
    first >> EmptyOperator(task_id="second") >> EmptyOperator(task_id="third")
with DAG("day2_paused", schedule=None, start_date=start, is_paused_upon_creation=True):
    EmptyOperator(task_id="only")
"""
FORGET = """
from airflow.api.common.delete_dag import delete_dag
delete_dag("day2_test"), delete_dag("day2_paused")
"""
# At once; the scheduler would find the file within half a minute.
REGISTER = f"from airflow.models import DagBag; DagBag('{FILE}', include_examples=False).sync_to_db()"


@contextmanager
def planted(cluster: Cluster) -> Iterator[str]:
    """Have the DAGs on the scheduler and on one worker; give the id of the first."""
    hosts = (cluster.scheduler, WORKER)
    try:
        for host in hosts:
            cluster.ssh(host, f"printf %s {shlex.quote(DAG)} | sudo -u airflow tee {FILE} && sudo chmod 640 {FILE}")
        cluster.ssh(cluster.scheduler, "sudo -iu airflow python -", stdin=REGISTER)
        yield "day2_test"
    finally:
        for host in hosts:
            cluster.ssh(host, f"sudo rm -f {FILE} {GO}")
        cluster.ssh(cluster.scheduler, "sudo -iu airflow python -", stdin=FORGET)


def let_go(cluster: Cluster) -> None:
    """Let the tasks that are held come to their end."""
    cluster.ssh(WORKER, f"touch {GO}")


def is_drained(cluster: Cluster) -> bool:
    """Say whether the worker was told to take no more tasks since it started."""
    since = "$(systemctl show -P ExecMainStartTimestamp airflow-worker)"
    found = cluster.ssh(WORKER, f'find /run -maxdepth 1 -name airflow-worker-drained -newermt "{since}"', check=False)
    return bool(found.stdout)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.5)


def running(cluster: Cluster, run: str) -> bool:
    """Say whether the first task of a run runs."""
    return any(task.task == "first" and task.state == "running" for task in cluster.tasks(run))


def play(cluster: Cluster, name: str, variables: dict[str, object], *args: str, fails: bool = False) -> str:
    """Run a playbook and return its output; it must end as expected."""
    run = cluster.playbook(f"playbooks/{name}.yml", "-e", json.dumps(variables), *args, check=False)
    assert bool(run.returncode) == fails, run.stdout + run.stderr
    return run.stdout + run.stderr
