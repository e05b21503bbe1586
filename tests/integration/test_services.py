"""The verbs of the services on the built cluster: what restarts and what does not, what status and check say."""

from collections.abc import Iterator

import pytest

from lab.airflow_cluster import Cluster
from tests.integration.recap import changed_by_host

HOME = "/usr/hmg/2.2.1.0-552/airflow"
UNITS = {
    "mn02p": ("scheduler", "webserver", "triggerer"),
    "dn01p": ("worker",),
    "dn02p": ("worker",),
    "dn03p": ("worker",),
}


def starts(cluster: Cluster) -> dict[str, str]:
    """Return the moment of the last start of each service of the cluster."""
    show = "systemctl show -P ExecMainStartTimestampMonotonic airflow-"
    return {
        f"{host} {service}": cluster.ssh(host, f"{show}{service}").stdout.strip()
        for host, services in UNITS.items()
        for service in services
    }


def restarted(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Return the services that started in between."""
    return {service for service in before if before[service] != after[service]}


@pytest.fixture
def stopped_worker(cluster: Cluster) -> Iterator[str]:
    """Stop a worker for one test, with the playbook, and start it again."""
    cluster.playbook("playbooks/stop.yml", "-l", "dn02p")
    yield "dn02p"
    cluster.playbook("playbooks/start.yml", "-l", "dn02p")


TOUCHED = {
    "mn02p triggerer": ("mn02p", f"{HOME}/config_digests/triggerer"),
    "dn03p worker": ("dn03p", "/etc/airflow/airflow.env"),
    "mn02p scheduler": ("mn02p", "/etc/systemd/system/airflow-scheduler.service"),
}


def test_only_services_that_read_a_changed_file_restart(cluster: Cluster) -> None:
    # Touched without a restart: just what a run leaves behind that was killed between the two.
    before = starts(cluster)
    for host, path in TOUCHED.values():
        cluster.ssh(host, f"sudo touch {path}")
    run = cluster.playbook("site.yml", "--tags", "airflow_services")
    assert restarted(before, starts(cluster)) == set(TOUCHED)
    assert sum(changed_by_host(run).values()) == len(TOUCHED)
    assert not any(changed_by_host(cluster.playbook("site.yml", "--tags", "airflow_services")).values())


def test_restart_takes_only_the_hosts_and_services_that_were_named(cluster: Cluster) -> None:
    before = starts(cluster)
    cluster.playbook("playbooks/restart.yml", "-l", "mn02p", "-e", "{airflow_services_names: [triggerer]}")
    assert restarted(before, starts(cluster)) == {"mn02p triggerer"}


def test_status_shows_every_service(cluster: Cluster) -> None:
    run = cluster.playbook("playbooks/status.yml")
    rows = [line.split() for line in run.stdout.splitlines()]
    assert {(row[0], row[1]) for row in rows if row[2:3] == ["active"]} == {
        (host, service) for host, services in UNITS.items() for service in services
    }
    assert not any(changed_by_host(run).values())


def test_status_and_check_name_the_worker_that_is_down(cluster: Cluster, stopped_worker: str) -> None:
    status = cluster.playbook("playbooks/status.yml", check=False)
    assert status.returncode
    assert f"worker on {stopped_worker} is inactive" in status.stdout
    check = cluster.playbook("playbooks/check.yml", "-e", "airflow_services_check_timeout=40", check=False)
    assert check.returncode
    assert f"{stopped_worker}: its task was not taken in time (queued)" in check.stdout
    assert "dn01p: ran on dn01p" in check.stdout
    assert "dn03p: ran on dn03p" in check.stdout
    others = cluster.playbook("playbooks/check.yml", "-l", "dn01p,dn03p")
    assert stopped_worker not in others.stdout.partition("TASK [airflow_services : check")[2]


def test_check_runs_a_task_on_every_worker_and_reads_its_log(cluster: Cluster) -> None:
    run = cluster.playbook("playbooks/check.yml")
    for worker in ("dn01p", "dn02p", "dn03p"):
        assert f"{worker}: ran on {worker} in" in run.stdout
    assert "log read" in run.stdout


def test_check_says_that_the_password_is_wrong_and_does_not_show_it(cluster: Cluster) -> None:
    wrong = "{airflow_ui_passwords: {admin: not-the-password}}"
    run = cluster.playbook("playbooks/check.yml", "-e", wrong, check=False)
    assert run.returncode
    assert "refuses user 'admin'" in run.stdout + run.stderr
    assert "not-the-password" not in run.stdout + run.stderr
