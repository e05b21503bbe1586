"""What the written configuration means to the installed Airflow, and who can read it."""

import json

import pytest
from testinfra.host import Host

HOME = "/usr/hmg/2.2.1.0-552/airflow"
PASSWORDS = ["p%@/# 한글:$HOME~x", "b%@/# 한글:$HOME~y"]
READ = """
import json
from airflow.configuration import conf
from kombu import Connection
from sqlalchemy.engine import make_url
database = make_url(conf.get("database", "sql_alchemy_conn"))
print("ANSWER" + json.dumps({
    "passwords": [database.password, Connection(conf.get("celery", "broker_url")).password],
    "query": dict(database.query),
    "result": make_url(conf.get("celery", "result_backend").removeprefix("db+")).password,
    "options": {f"{s}.{o}": conf.get(s, o) for s, o in [
        ("core", "parallelism"), ("core", "max_active_runs_per_dag"), ("core", "dags_are_paused_at_creation"),
        ("scheduler", "parsing_processes"), ("logging", "logging_level"), ("metrics", "statsd_datadog_tags"),
    ]},
}))
"""


@pytest.fixture(scope="module")
def seen(host: Host) -> dict[str, object]:
    """What the Airflow of the host reads from its files."""
    environment = f"AIRFLOW_HOME={HOME} _AIRFLOW__AS_LIBRARY=1"
    with host.sudo("airflow"):
        done = host.run(f"env {environment} {HOME}/venv/bin/python -c %s", READ)
    assert "ANSWER" in done.stdout, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.partition("ANSWER")[2])
    return answer


def test_credentials_survive_url_file_and_expansion(seen: dict[str, object]) -> None:
    assert seen["passwords"] == PASSWORDS
    assert seen["result"] == PASSWORDS[0]
    assert seen["query"] == {"charset": "utf8mb4"}


def test_later_layers_win_and_null_removes(seen: dict[str, object]) -> None:
    assert seen["options"] == {
        "core.parallelism": "8",
        "core.max_active_runs_per_dag": "5",
        "core.dags_are_paused_at_creation": "True",  # removed by null: Airflow's own default
        "scheduler.parsing_processes": "3",
        "logging.logging_level": "INFO",
        "metrics.statsd_datadog_tags": "50%",
    }


def test_only_airflow_reads_the_secrets(host: Host) -> None:
    with host.sudo():
        file = host.file(f"{HOME}/airflow.cfg")
        assert (file.user, file.group, file.mode) == ("airflow", "hadoop", 0o600)
        assert host.file(f"{HOME}/webserver_config.py").mode == 0o640
        # Nothing of an interrupted or refused run lies beside it.
        assert host.run(f"find {HOME} -maxdepth 1 -name '.airflow.cfg*'").stdout == ""


def test_every_service_of_the_host_has_a_digest(host: Host) -> None:
    services = {"mn01d": {"scheduler", "webserver", "triggerer"}, "dn01d": {"worker"}}
    with host.sudo():
        found = host.file(f"{HOME}/config_digests").listdir()
        assert set(found) >= services[host.backend.get_hostname()]
        assert all(len(host.file(f"{HOME}/config_digests/{name}").content_string.strip()) == 64 for name in found)
