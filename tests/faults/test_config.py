"""Faults while the configuration changes: a killed run, a host that is down. The repeat heals."""

import os
import re
import signal
import subprocess

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY
from tests.integration.recap import changed_by_host

CFG = "/usr/hmg/2.2.1.0-552/airflow/airflow.cfg"
# Only the scheduler reads it.
CHANGE = ("-e", '{"airflow_config_settings": {"scheduler": {"dag_dir_list_interval": 31}}}')


def since(cluster: Cluster, unit: str) -> str:
    return cluster.ssh("mn02p", f"systemctl show -P ActiveEnterTimestampMonotonic {unit}").stdout.strip()


def test_a_run_killed_before_the_restart_is_healed_by_the_repeat(cluster: Cluster) -> None:
    before = since(cluster, "airflow-scheduler")
    process = subprocess.Popen(
        ["ansible-playbook", "playbooks/config.yml", *CHANGE],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    for line in process.stdout:
        if line.startswith("PLAY [Run the services"):
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert "31" in cluster.ssh("mn02p", f"sudo grep ^dag_dir_list_interval {CFG}").stdout
    assert since(cluster, "airflow-scheduler") == before
    cluster.playbook("playbooks/config.yml", *CHANGE)
    assert since(cluster, "airflow-scheduler") != before
    cluster.playbook("playbooks/config.yml")
    assert not any(changed_by_host(cluster.playbook("playbooks/config.yml")).values())


def test_a_host_that_is_down_is_named_and_nothing_changes_until_it_is_back(cluster: Cluster) -> None:
    before = {host: cluster.ssh(host, f"sudo sha256sum {CFG}").stdout for host in ("mn02p", "dn01p", "dn03p")}
    subprocess.run(["lab", "cut", "dn02p"], check=True)
    try:
        run = cluster.playbook("playbooks/config.yml", *CHANGE, check=False)
    finally:
        subprocess.run(["lab", "heal", "dn02p"], check=True)
    assert run.returncode != 0
    assert re.search(r"dn02p\s+: ok=\d+\s+changed=0\s+unreachable=1", run.stdout)
    assert {host: cluster.ssh(host, f"sudo sha256sum {CFG}").stdout for host in before} == before
    assert not any(changed_by_host(cluster.playbook("playbooks/config.yml")).values())
