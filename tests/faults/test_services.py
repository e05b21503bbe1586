"""A worker that does not come back: the run ends before the next batch goes down, and the repeat heals. A drain that is
killed is seen, and undone."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from tests.integration.day2 import WORKER, is_drained, let_go, planted, running, until

WORKERS = ("dn01p", "dn02p", "dn03p")
DROP_IN = "/etc/systemd/system/airflow-worker.service.d"
ONE_BY_ONE = "{airflow_services_names: [worker], airflow_services_worker_batch: 1, airflow_services_start_timeout: 15}"

PATIENT = ONE_BY_ONE.replace("timeout: 15", "timeout: 120")
ALL_QUEUES = {host: {"default", host} for host in WORKERS}
ACTIVE_QUEUES = "celery --app airflow.providers.celery.executors.celery_executor.app inspect active_queues --json"


def queues(cluster: Cluster) -> dict[str, set[str]]:
    """Return from which queues each worker says that it takes tasks."""
    said = cluster.ssh(cluster.scheduler, f"sudo -iu airflow {ACTIVE_QUEUES} --timeout 5").stdout
    answers = json.loads(said[said.index("{") :].splitlines()[0])
    return {name.removeprefix("celery@"): {queue["name"] for queue in answer} for name, answer in answers.items()}


def processes(cluster: Cluster) -> dict[str, str]:
    """Return the main process of each worker."""
    return {host: cluster.ssh(host, "systemctl show -P MainPID airflow-worker").stdout.strip() for host in WORKERS}


@pytest.fixture
def broken_worker(cluster: Cluster) -> Iterator[str]:
    """Let the worker of the first batch run something that never answers, from its next start on."""
    lines = r"[Service]\nExecStart=\nExecStart=/bin/sleep 1h\n"
    cluster.ssh(WORKERS[0], f"sudo mkdir {DROP_IN} && printf '{lines}' | sudo tee {DROP_IN}/broken.conf")
    yield WORKERS[0]
    cluster.ssh(WORKERS[0], f"sudo rm -rf {DROP_IN}")
    cluster.playbook("site.yml", "--tags", "airflow_services")


def test_a_worker_that_stays_down_ends_the_run_before_the_next_batch(cluster: Cluster, broken_worker: str) -> None:
    before = processes(cluster)
    run = cluster.playbook("playbooks/restart.yml", "-e", ONE_BY_ONE, check=False)
    assert run.returncode
    assert f"failed: [{broken_worker}] (item=worker)" in run.stdout, run.stdout
    assert "airflow-worker.service is not healthy" in run.stdout
    after = processes(cluster)
    assert after.pop(broken_worker) != before.pop(broken_worker)
    assert after == before


def test_the_repeat_restarts_all_workers(cluster: Cluster) -> None:
    before = processes(cluster)
    cluster.playbook("playbooks/restart.yml", "-e", PATIENT)
    after = processes(cluster)
    assert all(after[host] not in ("0", before[host]) for host in WORKERS)


def test_a_worker_that_a_killed_run_left_drained_takes_tasks_again(cluster: Cluster) -> None:
    with planted(cluster) as dag:
        cluster.trigger((dag, "held", {"hold": 1}))
        until(lambda: running(cluster, "held"))
        before = processes(cluster)
        restart = ["ansible-playbook", "playbooks/restart.yml", "-l", WORKER]
        run = subprocess.Popen(restart, cwd=REPOSITORY, start_new_session=True)
        until(lambda: is_drained(cluster))
        time.sleep(5)  # the worker was told meanwhile, too
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        assert running(cluster, "held")
        assert "drained, it takes no tasks" in cluster.playbook("playbooks/status.yml", check=False).stdout
        cluster.playbook("playbooks/start.yml")
        assert processes(cluster) == before
        let_go(cluster)
        assert cluster.wait([(dag, "held")]) == {(dag, "held"): "success"}
    assert "drained" not in cluster.playbook("playbooks/status.yml").stdout
    cluster.playbook("playbooks/check.yml", "-l", WORKER)


@pytest.fixture
def held(cluster: Cluster) -> Iterator[str]:
    """Have a task on the first worker that runs until it is let go; give the id of its run."""
    with planted(cluster) as dag:
        run = f"held-{time.time():.0f}"
        cluster.trigger((dag, run, {"hold": 1}))
        until(lambda: running(cluster, run))
        yield run


def assert_undisturbed(cluster: Cluster, run: str) -> None:
    """Require that the held task came to its end at its first try."""
    assert cluster.wait([("day2_test", run)]) == {("day2_test", run): "success"}
    assert cluster.sql(f"select try_number from task_instance where run_id = '{run}' and task_id = 'first'") == [["1"]]


def test_a_batch_that_fails_leaves_the_other_workers_whole_and_the_repeat_restarts_all(
    cluster: Cluster, held: str
) -> None:
    before, second = processes(cluster), WORKERS[1]
    lines = r"[Service]\nExecStart=\nExecStart=/nonexistent\n"
    cluster.ssh(second, f"sudo mkdir {DROP_IN} && printf '{lines}' | sudo tee {DROP_IN}/broken.conf")
    try:
        with ThreadPoolExecutor() as pool:
            restart = pool.submit(cluster.playbook, "playbooks/restart.yml", "-e", PATIENT, check=False)
            until(lambda: is_drained(cluster))
            let_go(cluster)
            run = restart.result()
        assert run.returncode
        assert f"fatal: [{second}]: FAILED!" in run.stdout, run.stdout
        assert "Unable to restart service airflow-worker.service" in run.stdout
        after = processes(cluster)
        assert after[WORKERS[0]] not in ("0", before[WORKERS[0]])
        assert (after[second], after[WORKERS[2]]) == ("0", before[WORKERS[2]])
        assert queues(cluster) == {host: ALL_QUEUES[host] for host in WORKERS if host != second}
        assert_undisturbed(cluster, held)
    finally:
        cluster.ssh(second, f"sudo rm -r {DROP_IN}")
    cluster.playbook("playbooks/restart.yml", "-e", PATIENT)
    again = processes(cluster)
    assert all(again[host] not in ("0", after[host]) for host in WORKERS)
    assert queues(cluster) == ALL_QUEUES


def test_a_broker_that_is_away_for_a_while_harms_neither_the_task_nor_the_drain(cluster: Cluster, held: str) -> None:
    before = processes(cluster)
    with ThreadPoolExecutor() as pool:
        restart = pool.submit(cluster.playbook, "playbooks/restart.yml", "-l", WORKER, check=False)
        until(lambda: is_drained(cluster))
        time.sleep(5)  # the worker was told meanwhile, too
        cluster.ssh(cluster.database, "sudo systemctl stop rabbitmq-server")
        try:
            time.sleep(20)
        finally:
            cluster.ssh(cluster.database, "sudo systemctl start rabbitmq-server")
        assert running(cluster, held)
        assert processes(cluster) == before, "the worker did not wait for its task"
        let_go(cluster)
        restart.result()
    assert_undisturbed(cluster, held)
    cluster.playbook("playbooks/restart.yml", "-l", WORKER)
    assert processes(cluster)[WORKER] not in ("0", before[WORKER])
    assert queues(cluster) == ALL_QUEUES
    assert "drained" not in cluster.playbook("playbooks/status.yml").stdout
