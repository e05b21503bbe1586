"""A worker that does not come back: the run ends before the next batch goes down, and the repeat heals. A drain that is
killed is seen, and undone."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from tests.integration.day2 import WORKER, is_drained, let_go, planted, running, until

WORKERS = ("dn01p", "dn02p", "dn03p")
DROP_IN = "/etc/systemd/system/airflow-worker.service.d"
ONE_BY_ONE = "{airflow_services_names: [worker], airflow_services_worker_batch: 1, airflow_services_start_timeout: 15}"


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
    cluster.playbook("playbooks/restart.yml", "-e", ONE_BY_ONE.replace("timeout: 15", "timeout: 120"))
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
