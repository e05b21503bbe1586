"""What a host must satisfy: a good look has no finding, and each fault has its sentence."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_ops.host_rules import Needs, clock_error, family, host_findings, needs
from airflow_ops.inventory_model import Environment, Host, Inventory

FILE = "inventories/dev/group_vars/dev/airflow.yml"
WANTED = Needs(
    host="mn01d",
    environment="dev",
    file=FILE,
    python="/usr/bin/python3",
    home="/usr/hmg/2/airflow",
    log_folder="/var/log/airflow",
    home_free_mb=2048,
    log_free_mb=1024,
    memory_mb=2048,
    clock_seconds=5,
    ports={8080: "the web server", 3306: "MariaDB"},
    names=("dn01d",),
    airflow=True,
    take_over=False,
)
OUR_UNIT = {"name": "airflow-webserver.service", "path": "/etc/systemd/system/airflow-webserver.service", "ours": True}
THEIR_UNIT = {**OUR_UNIT, "ours": False}
GOOD: dict[str, Any] = {
    "os_release": {"ID": "debian", "PRETTY_NAME": "Debian 12"},
    "python": [3, 11, 2],
    "free_mb": {"/usr/hmg/2/airflow": 9000, "/var/log/airflow": 9000},
    "memory_mb": 16000,
    "listeners": [],
    "addresses": {"dn01d": ["192.0.2.121"]},
    "units": [OUR_UNIT],
    "processes": [],
    "configurations": [],
    "ambari": [],
}


def listener(port: int, process: str, unit: str) -> dict[str, Any]:
    return {"port": port, "pid": "77", "process": process, "unit": unit}


FINE: dict[str, dict[str, Any]] = {
    "as it should be": {},
    "Rocky Linux": {"os_release": {"ID": "rocky", "ID_LIKE": "rhel centos fedora"}},
    "our web server is running": {"listeners": [listener(8080, "gunicorn", "airflow-webserver.service")]},
    "MariaDB is running": {"listeners": [listener(3306, "mariadbd", "mariadb.service")]},
    "somebody on a port that we do not want": {"listeners": [listener(9090, "nginx", "nginx.service")]},
    "our scheduler": {"processes": [{"pid": "5", "command": "airflow scheduler", "unit": "airflow-webserver.service"}]},
}


@pytest.mark.parametrize("change", FINE.values(), ids=FINE)
def test_a_good_host_has_no_finding(change: dict[str, Any]) -> None:
    assert host_findings(WANTED, {**GOOD, **change}, 0.0) == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "operating system": (
        {"os_release": {"ID": "alpine", "PRETTY_NAME": "Alpine 3"}},
        "The operating system is Alpine 3, but only the families Debian and RedHat are supported: use another.",
    ),
    "old Python": (
        {"python": [3, 9, 2]},
        f"/usr/bin/python3 is Python 3.9, and Airflow needs Python 3.10 to 3.12: set airflow_python in {FILE}.",
    ),
    "new Python": (
        {"python": [3, 13, 0]},
        f"/usr/bin/python3 is Python 3.13, and Airflow needs Python 3.10 to 3.12: set airflow_python in {FILE}.",
    ),
    "no Python": (
        {"python": []},
        f"/usr/bin/python3 does not run, and Airflow needs Python 3.10 to 3.12: set airflow_python in {FILE}.",
    ),
    "disk": (
        {"free_mb": {"/usr/hmg/2/airflow": 100, "/var/log/airflow": 9000}},
        "100 MiB are free for /usr/hmg/2/airflow and 2048 are wanted: free some, or lower preflight_home_free_mb.",
    ),
    "log disk": (
        {"free_mb": {"/usr/hmg/2/airflow": 9000, "/var/log/airflow": 3}},
        "3 MiB are free for /var/log/airflow and 1024 are wanted: free some, or lower preflight_log_free_mb.",
    ),
    "memory": (
        {"memory_mb": 512},
        "The host has 512 MiB of memory and 2048 are wanted: add some, or lower preflight_memory_mb.",
    ),
    "port of somebody else": (
        {"listeners": [listener(8080, "nginx", "nginx.service")]},
        "Port 8080, wanted for the web server, is in use by nginx (pid 77, nginx.service): "
        "stop it, or give the web server another port.",
    ),
    "port of an orphan": (
        {"listeners": [listener(8080, "gunicorn", "")]},
        "Port 8080, wanted for the web server, is in use by gunicorn (pid 77): "
        "stop it, or give the web server another port.",
    ),
    "unknown name": (
        {"addresses": {"dn01d": []}},
        "The host cannot resolve dn01d: add the names to DNS or to /etc/hosts.",
    ),
    "name of the host itself": (
        {"addresses": {"dn01d": ["127.0.1.1"]}},
        "The host resolves dn01d to 127.0.1.1, which is the host itself: correct DNS or /etc/hosts.",
    ),
    "unit of somebody else": (
        {"units": [THEIR_UNIT]},
        "An Airflow that is not ours is on the host (unit /etc/systemd/system/airflow-webserver.service): "
        f"remove it, or set airflow_take_over: true in {FILE}.",
    ),
    "everything at once": (
        {
            "ambari": ["Ambari runs AIRFLOW_SCHEDULER (topology.json)"],
            "processes": [{"pid": "5", "command": "airflow scheduler", "unit": ""}],
            "configurations": ["/usr/hmg/2/airflow/airflow.cfg"],
        },
        "An Airflow that is not ours is on the host (Ambari runs AIRFLOW_SCHEDULER (topology.json); process 5 (airflow "
        "scheduler); configuration /usr/hmg/2/airflow/airflow.cfg): "
        f"remove it, or set airflow_take_over: true in {FILE}.",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_host_is_told_in_one_sentence(change: dict[str, Any], sentence: str) -> None:
    assert host_findings(WANTED, {**GOOD, **change}, 0.0) == [sentence]


def test_a_foreign_airflow_may_be_taken_over() -> None:
    wanted = Needs(**{**vars(WANTED), "take_over": True})
    assert host_findings(wanted, {**GOOD, "units": [THEIR_UNIT], "ambari": ["Ambari"]}, 0.0) == []


CLOCKS = {
    "between the two moments": (100.0, 103.0, 110.0, 0.0),
    "ahead": (100.0, 120.0, 110.0, 10.0),
    "behind": (100.0, 40.0, 110.0, -60.0),
}


@pytest.mark.parametrize(("before", "host", "after", "error"), CLOCKS.values(), ids=CLOCKS)
def test_latency_is_no_clock_error(before: float, host: float, after: float, error: float) -> None:
    assert clock_error(before, host, after) == error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (5.0, []),
        (-5.0, []),
        (
            61.4,
            [
                "The clock is 61 seconds ahead of the controller's and 5 are tolerated: "
                "let both follow the same time server."
            ],
        ),
        (
            -9.0,
            [
                "The clock is 9 seconds behind the controller's and 5 are tolerated: "
                "let both follow the same time server."
            ],
        ),
    ],
    ids=["just tolerated", "just tolerated behind", "ahead", "behind"],
)
def test_clock(error: float, expected: list[str]) -> None:
    assert host_findings(WANTED, GOOD, error) == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [({"ID": "ubuntu", "ID_LIKE": "debian"}, "Debian"), ({"ID": "rhel"}, "RedHat"), ({"ID": "alpine"}, ""), ({}, "")],
    ids=["Ubuntu", "RHEL", "Alpine", "nothing"],
)
def test_family(release: dict[str, str], expected: str) -> None:
    assert family(release) == expected


def test_needs_follow_from_the_groups_of_the_host() -> None:
    variables = {
        "airflow_environment": "dev",
        "metadata_db_port": 3307,
        "metadata_db_host": "mn01d",
        "broker_host": "mq.example.com",
        "broker_external": True,
        "broker_port": 5672,
        "airflow_take_over": "true",
    }
    host = Host("mn01d", variables)
    groups = {
        "dev": ["mn01d", "dn01d"],
        "metadata_db": ["mn01d"],
        "broker": ["mn01d"],
        "airflow_scheduler": ["mn01d"],
        "airflow_worker": ["dn01d"],
        "airflow": ["mn01d", "dn01d"],
    }
    environment = Environment("dev", Inventory({"mn01d": host}, groups, roles=frozenset({"airflow"})))
    limits = {"home_free_mb": 1, "log_free_mb": 2, "memory_mb": 3, "clock_seconds": 4}
    wanted = needs(environment, host, limits)
    assert wanted.ports == {3307: "MariaDB", 8974: "the scheduler's health server"}
    assert wanted.names == ("dn01d", "mq.example.com")
    assert (wanted.take_over, wanted.airflow, wanted.file) == (True, True, FILE)
