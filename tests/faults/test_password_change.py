"""The passwords of database and broker change under a task that runs: it goes on, then the old ones are refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from tests.integration.day2 import HOME, WORKER, is_drained, let_go, planted, running, until

NEW = {"metadata_db_password": "changed-%@/# 바뀐", "broker_password": "changed-by-a-test"}
TO_NEW = ("-e", json.dumps(NEW))
# All of site.yml that has to do with passwords.
CHANGE = ("site.yml", "--tags", "metadata_db,broker,airflow_config,airflow_services")
LOGIN = """
import sys, MySQLdb
try:
    password = sys.stdin.readline().rstrip("\\n")
    MySQLdb.connect(host="mn01p", user="airflow", password=password, database="airflow", charset="utf8mb4")
except MySQLdb.OperationalError as error:
    sys.exit(0 if error.args[0] == 1045 else str(error))
print("in")
"""


def database_accepts(cluster: Cluster, password: str) -> bool:
    """Say whether Airflow's account logs in from the scheduler's host with a password."""
    command = f"sudo -u airflow {HOME}/venv/bin/python -c '{LOGIN}'"
    return cluster.ssh(cluster.scheduler, command, stdin=f"{password}\n").stdout.strip() == "in"


def broker_accepts(cluster: Cluster, password: str) -> bool:
    """Say whether Airflow's account logs in to the broker with a password."""
    command = "sudo rabbitmqctl authenticate_user airflow"
    done = cluster.ssh(cluster.database, command, check=False, stdin=f"{password}\n")
    assert done.returncode == 0 or "failed to authenticate" in done.stderr, done.stderr
    return not done.returncode


def accepted(cluster: Cluster) -> dict[str, list[bool]]:
    """Say which passwords are accepted, the earlier one and the new one."""
    old = cluster.secrets()
    return {
        "database": [database_accepts(cluster, each["metadata_db_password"]) for each in (old, NEW)],
        "broker": [broker_accepts(cluster, each["broker_password"]) for each in (old, NEW)],
    }


def main_process(cluster: Cluster, host: str, unit: str) -> str:
    """Return the main process of a service."""
    return cluster.ssh(host, f"systemctl show -P MainPID {unit}").stdout.strip()


@contextmanager
def killed_at(line: str) -> Iterator[None]:
    """Change the passwords by a run that is killed when it says this."""
    process = subprocess.Popen(
        ["ansible-playbook", *CHANGE, *TO_NEW],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    said = []
    for text in process.stdout:
        said.append(text)
        if text.startswith(line):
            os.killpg(process.pid, signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL, "".join(said)
    yield


@pytest.fixture
def held(cluster: Cluster) -> Iterator[str]:
    """Have a task on the first worker that runs until it is let go; afterwards the passwords are the old ones again."""
    with planted(cluster) as dag:
        run = f"held-{time.time():.0f}"
        cluster.trigger((dag, run, {"hold": 1}))
        until(lambda: running(cluster, run))
        try:
            yield run
        finally:
            let_go(cluster)
            cluster.playbook(*CHANGE)
            assert accepted(cluster) == {"database": [True, False], "broker": [True, False]}


def test_a_running_task_outlives_a_change_that_is_killed_and_repeated(cluster: Cluster, held: str) -> None:
    worker, scheduler = (
        main_process(cluster, WORKER, "airflow-worker"),
        main_process(cluster, cluster.scheduler, "airflow-scheduler"),
    )
    part = cluster.playbook("site.yml", "--tags", "metadata_db,broker", *TO_NEW, check=False)
    assert part.returncode
    assert "which all hosts must learn at once" in " ".join(part.stdout.split())
    assert accepted(cluster) == {"database": [True, True], "broker": [True, False]}
    with killed_at("PLAY [Run the services"):
        assert accepted(cluster) == {"database": [True, True], "broker": [False, True]}
    # RabbitMQ has one password: who queues tasks has it already, who runs them is connected.
    assert main_process(cluster, cluster.scheduler, "airflow-scheduler") not in ("0", scheduler)
    assert main_process(cluster, WORKER, "airflow-worker") == worker
    assert running(cluster, held)
    queued = f"queued-{time.time():.0f}"
    with ThreadPoolExecutor() as pool:
        repeated = pool.submit(cluster.playbook, *CHANGE, *TO_NEW, check=False)
        until(lambda: is_drained(cluster) or repeated.done(), 600)
        assert accepted(cluster)["database"] == [True, True]
        assert running(cluster, held)
        cluster.trigger(("day2_test", queued, {}))
        let_go(cluster)
        run = repeated.result()
    assert run.returncode == 0, run.stdout
    assert accepted(cluster) == {"database": [False, True], "broker": [False, True]}
    wanted = [("day2_test", held), ("day2_test", queued)]
    assert cluster.wait(wanted) == dict.fromkeys(wanted, "success")
    assert cluster.sql(f"select try_number from task_instance where run_id = '{held}' and task_id = 'first'") == [["1"]]
    assert main_process(cluster, WORKER, "airflow-worker") not in ("0", worker)


def test_a_password_that_is_not_in_force_is_refused_before_airflow_cfg_has_it(cluster: Cluster) -> None:
    digest = f"sudo sha256sum {HOME}/airflow.cfg"
    before = cluster.ssh(cluster.scheduler, digest).stdout
    run = cluster.playbook("playbooks/config.yml", *TO_NEW, check=False)
    assert run.returncode
    assert "Access denied" in run.stdout
    assert cluster.ssh(cluster.scheduler, digest).stdout == before
