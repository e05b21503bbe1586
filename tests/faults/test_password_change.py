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


# Stands before rabbitmqctl, under its name: all goes through but a change.
CTL = "/usr/sbin/rabbitmqctl"
# At the same depth: it is a relative link.
AWAY = "/usr/away"
REFUSING = f"""#!/bin/sh
case "$*" in *import_definitions*) echo "the disk is full" >&2; exit 70;; esac
exec {AWAY}/rabbitmqctl "$@"
"""


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
    lines = []
    for text in process.stdout:
        lines.append(text)
        if text.startswith(line):
            os.killpg(process.pid, signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL, "".join(lines)
    yield


@contextmanager
def refusing_rabbitmqctl(cluster: Cluster) -> Iterator[None]:
    """Let no definitions into RabbitMQ meanwhile."""
    away = f"sudo sh -c 'mkdir {AWAY} && mv {CTL} {AWAY}/ && cat >{CTL} && chmod 755 {CTL}'"
    cluster.ssh(cluster.database, away, stdin=REFUSING)
    try:
        yield
    finally:
        cluster.ssh(cluster.database, f"sudo sh -c 'mv {AWAY}/rabbitmqctl {CTL} && rmdir {AWAY}'")


def said(run: subprocess.CompletedProcess[str]) -> str:
    """Return what a playbook said, on one line."""
    return " ".join(run.stdout.split())


@contextmanager
def a_held_task(cluster: Cluster) -> Iterator[str]:
    """Have a task on the first worker that runs until it is let go."""
    with planted(cluster) as dag:
        run = f"held-{time.time():.0f}"
        cluster.trigger((dag, run, {"hold": 1}))
        until(lambda: running(cluster, run))
        try:
            yield run
        finally:
            let_go(cluster)
            cluster.wait([(dag, run)])


@pytest.fixture
def old_passwords(cluster: Cluster) -> Iterator[None]:
    """Let the passwords be the old ones again, afterwards."""
    yield
    cluster.playbook(*CHANGE)
    assert accepted(cluster) == {"database": [True, False], "broker": [True, False]}


@pytest.fixture
def held(cluster: Cluster, old_passwords: None) -> Iterator[str]:
    """Have a held task; afterwards the passwords are the old ones again."""
    with a_held_task(cluster) as run:
        yield run


def test_a_running_task_outlives_a_change_that_is_killed_and_repeated(cluster: Cluster, held: str) -> None:
    worker, scheduler = (
        main_process(cluster, WORKER, "airflow-worker"),
        main_process(cluster, cluster.scheduler, "airflow-scheduler"),
    )
    part = cluster.playbook("site.yml", "--tags", "metadata_db,broker", *TO_NEW, check=False)
    assert part.returncode
    assert "which all hosts must learn at once" in said(part)
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


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(("playbooks/config.yml",), id="config"),
        pytest.param(("site.yml", "--tags", "airflow_config,airflow_services"), id="without-the-servers-by-tags"),
        pytest.param(("site.yml", "-l", "dn03p"), id="without-the-servers-by-limit"),
    ],
)
def test_a_password_that_is_not_in_force_is_refused_before_airflow_cfg_has_it(
    cluster: Cluster, run: tuple[str, ...]
) -> None:
    hosts, digest = (cluster.scheduler, "dn03p"), f"sudo sha256sum {HOME}/airflow.cfg"
    before = [cluster.ssh(host, digest).stdout for host in hosts]
    done = cluster.playbook(*run, *TO_NEW, check=False)
    assert done.returncode
    assert "Access denied" in done.stdout
    assert [cluster.ssh(host, digest).stdout for host in hosts] == before


def test_a_change_that_the_broker_refuses_leaves_the_scheduler_stopped(cluster: Cluster, old_passwords: None) -> None:
    with refusing_rabbitmqctl(cluster):
        failed = cluster.playbook(*CHANGE, *TO_NEW, check=False)
    assert failed.returncode
    assert "the disk is full" in failed.stdout
    assert "for all hosts; until then the scheduler stands still" in said(failed)
    assert accepted(cluster) == {"database": [True, True], "broker": [True, False]}
    cluster.ssh(cluster.scheduler, "sudo -u airflow watchdog check", check=False)
    assert main_process(cluster, cluster.scheduler, "airflow-scheduler") == "0"
    cluster.playbook(*CHANGE, *TO_NEW)
    assert accepted(cluster) == {"database": [False, True], "broker": [False, True]}
    assert main_process(cluster, cluster.scheduler, "airflow-scheduler") != "0"
    assert "not paused" in cluster.ssh(cluster.scheduler, "watchdog status", check=False).stdout


def test_a_password_that_holds_longer_is_told(cluster: Cluster, held: str) -> None:
    run = cluster.playbook(*CHANGE, *TO_NEW, "-e", "airflow_services_drain_timeout=5", check=False)
    assert run.returncode
    assert "Repeat site.yml for all hosts when they have ended" in said(run)
    assert running(cluster, held)
    assert accepted(cluster)["database"] == [True, True]
    status = cluster.playbook("playbooks/status.yml", *TO_NEW)
    assert "an earlier password holds, too, for the metadata database; run site.yml for all hosts" in status.stdout
