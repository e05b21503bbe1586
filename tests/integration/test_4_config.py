"""One option changes one line and restarts what reads it; a wrong value is refused before anything live is replaced."""

import json

import pytest

from lab.airflow_cluster import Cluster
from tests.integration.recap import changed_by_host

CFG_HOSTS = {"mn02p", "dn01p", "dn02p", "dn03p"}
SCHEDULER = ("-l", "mn02p")  # where one host shows it as well as all
CFG = "/usr/hmg/2.2.1.0-552/airflow/airflow.cfg"
UNITS = {"mn02p": ("airflow-scheduler", "airflow-webserver", "airflow-triggerer"), "dn01p": ("airflow-worker",)}


def config(cluster: Cluster, settings: object, *args: str, check: bool = True) -> "tuple[int, str]":
    run = cluster.playbook("playbooks/config.yml", "--diff", "-e", json.dumps(settings), *args, check=check)
    return run.returncode, run.stdout + run.stderr


def started(cluster: Cluster) -> dict[str, str]:
    """Return when each unit entered its present run."""
    show = "systemctl show -P ActiveEnterTimestampMonotonic"
    return {unit: cluster.ssh(host, f"{show} {unit}").stdout.strip() for host, units in UNITS.items() for unit in units}


def cfg(cluster: Cluster) -> str:
    return cluster.ssh("mn02p", f"sudo cat {CFG}").stdout


def changed_lines(output: str) -> set[str]:
    return {line for line in output.splitlines() if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")}


def test_the_preview_of_one_option_is_one_line(cluster: Cluster) -> None:
    before = cfg(cluster)
    _, output = config(cluster, {"airflow_config_parameters": {"logging_level": "WARNING"}}, "--check", *SCHEDULER)
    assert changed_lines(output) == {"-logging_level = INFO", "+logging_level = WARNING"}
    assert cfg(cluster) == before


def test_an_option_of_the_webserver_restarts_the_webserver_alone(cluster: Cluster) -> None:
    before = started(cluster)
    config(cluster, {"airflow_config_settings": {"webserver": {"instance_name": "변경 시험"}}})
    after = started(cluster)
    assert {unit for unit in before if before[unit] != after[unit]} == {"airflow-webserver"}
    run = cluster.playbook("playbooks/config.yml")
    assert {host for host, changes in changed_by_host(run).items() if changes} == CFG_HOSTS


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param(
            {"airflow_config_parameters": {"logging_level": "LOUD"}}, ["logging_level", "LOUD"], id="no such level"
        ),
        pytest.param(
            {"airflow_config_parameters": {"paralelism": 5}}, ["paralelism", "parallelism"], id="misspelt name"
        ),
        pytest.param(
            {"airflow_config_settings": {"core": {"paralelism": 5}}},
            ["paralelism", "parallelism"],
            id="misspelt option",
        ),
        pytest.param(
            {"airflow_config_settings": {"core": {"parallelism": "many"}}}, ["parallelism", "many"], id="no number"
        ),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_live_changes(
    cluster: Cluster, settings: dict[str, object], words: list[str]
) -> None:
    before, units = cfg(cluster), started(cluster)
    code, output = config(cluster, settings, *SCHEDULER, check=False)
    assert code != 0
    assert all(word in output for word in words)
    assert cfg(cluster) == before
    assert started(cluster) == units


def test_the_awkward_database_password_works(cluster: Cluster) -> None:
    assert "%" in cfg(cluster).split("sql_alchemy_conn = ")[1].splitlines()[0]
    assert cluster.airflow("db", "check").returncode == 0
