"""Database and broker are away: every service comes back by itself, and one that cannot is told. Longer: make soak."""

from __future__ import annotations

import pytest

from lab.airflow_cluster import Cluster
from tests.faults.outages import BROKER, DATABASE, nobody_helps, outage, wait_until_all_run
from tests.faults.watchdog import Watchdog, wait

TRIGGERER = "airflow-triggerer"


@pytest.mark.parametrize(
    ("servers", "seconds"),
    [
        pytest.param([DATABASE], 30, id="half-a-minute-without-database"),
        pytest.param([BROKER], 30, id="half-a-minute-without-broker"),
        pytest.param([DATABASE, BROKER], 240, id="four-minutes-without-both"),
    ],
)
def test_all_services_come_back_by_themselves(cluster: Cluster, servers: list[str], seconds: float) -> None:
    with nobody_helps(cluster):
        outage(cluster, servers, seconds)
        wait_until_all_run(cluster)


def test_a_worker_never_stops_asking_for_its_broker(cluster: Cluster) -> None:
    asked = "from airflow.providers.celery.executors.celery_executor import app as a"
    said = cluster.ssh(
        "dn01p", f"sudo -iu airflow python -c '{asked}; print(a.conf.broker_connection_max_retries)'"
    ).stdout
    assert said.split()[-1] == "None"


def check_after_deaths(watchdog: Watchdog, count: int) -> None:
    """Let the watchdog look once systemd has started the unit again so often."""
    show = f"systemctl show -P NRestarts {watchdog.unit}"
    wait(lambda: int(watchdog.sh(show)) >= count, 60, f"{watchdog.unit} does not die")
    watchdog.check()


def test_a_service_beside_the_scheduler_that_dies_at_every_start_is_told_once(cluster: Cluster) -> None:
    watchdog = Watchdog(cluster, unit=TRIGGERER)
    watchdog.clear()
    before = watchdog.told("04")
    watchdog.sh("sudo systemctl stop cron")
    try:
        dies = r"[Service]\nExecStart=\nExecStart=/bin/false\n"
        with watchdog.limits(report_after=1), watchdog.unit_with(dies):
            watchdog.sh(f"sudo systemctl restart {TRIGGERER}", check=False)
            for count in range(5):
                check_after_deaths(watchdog, count)
            beside = watchdog.last()["beside"][f"{TRIGGERER}.service"]
            told = watchdog.told("04")
            shown = cluster.playbook("playbooks/status.yml", check=False).stdout
    finally:
        watchdog.sh(f"sudo systemctl restart {TRIGGERER}; sudo systemctl start cron")
        watchdog.clear()
    assert beside["verdict"] == "dies"
    assert len(told) == len(before) + 1, told
    assert "died again and again" in told[-1]
    assert "triggerer on mn02p is activating" in shown
