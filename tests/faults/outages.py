"""An outage of database or broker on a cluster, as the tests cause it, and what must hold once it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.airflow_cluster import Cluster
from tests.faults.watchdog import wait

SERVICES = {
    "mn02p": ("scheduler", "webserver", "triggerer"),
    "dn01p": ("worker",),
    "dn02p": ("worker",),
    "dn03p": ("worker",),
}
DATABASE, BROKER = "mariadb", "rabbitmq-server"
# Seconds after an outage; a worker that has waited for long asks its broker every 32 s.
BACK = 180
PAGES = """
import json, urllib.request
urllib.request.urlopen("http://localhost:8974/health", timeout=3)
page = json.load(urllib.request.urlopen("http://localhost:8080/health", timeout=3))
assert {page[part]["status"] for part in ("metadatabase", "scheduler", "triggerer")} == {"healthy"}, page
"""


@contextmanager
def nobody_helps(cluster: Cluster) -> Iterator[None]:
    """Stop the watchdog meanwhile."""
    cluster.ssh(cluster.scheduler, "sudo systemctl stop cron")
    try:
        yield
    finally:
        cluster.ssh(cluster.scheduler, "sudo systemctl start cron")


def outage(cluster: Cluster, servers: list[str], seconds: float) -> None:
    """Stop servers on the database host for a while."""
    names = " ".join(servers)
    cluster.ssh(cluster.database, f"sudo systemctl stop {names}")
    try:
        time.sleep(seconds)
    finally:
        cluster.ssh(cluster.database, f"sudo systemctl start {names}")


def all_run(cluster: Cluster) -> bool:
    """Say whether every unit is active, and scheduler, web server and triggerer are healthy."""
    for host, services in SERVICES.items():
        units = " ".join(f"airflow-{service}" for service in services)
        if cluster.ssh(host, f"systemctl is-active {units}", check=False).returncode:
            return False
    return cluster.ssh(cluster.scheduler, f"python3 -c '{PAGES}'", check=False).returncode == 0


def wait_until_all_run(cluster: Cluster) -> None:
    """Wait until all services are back, and prove it by a task on every worker."""
    took = wait(lambda: all_run(cluster), BACK, "not all services are back")
    print(f"\nall services back: {took:.0f} s")
    cluster.playbook("playbooks/check.yml", "-e", "airflow_services_check_timeout=180")
