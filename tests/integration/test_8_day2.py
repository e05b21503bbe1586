"""The playbooks of a day's work on the built cluster: trigger, clear, owners, drain."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.airflow_cluster import Cluster
from tests.integration.day2 import HOME, WORKER, is_drained, let_go, planted, play, running, until

MARK = f"mark-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def dag(cluster: Cluster) -> Iterator[str]:
    """Have DAGs for this module; return the id of the first."""
    with planted(cluster) as name:
        yield name


def trigger(cluster: Cluster, conf: object, *args: str, fails: bool = False, **values: object) -> str:
    variables = {"trigger_dag_id": "day2_test", "trigger_dag_conf": conf, **values}
    return play(cluster, "trigger_dag", variables, *args, fails=fails)


def runs(cluster: Cluster) -> list[str]:
    """Return the runs of the module's DAGs, oldest first."""
    return [run for (run,) in cluster.sql("select run_id from dag_run where dag_id like 'day2%' order by id")]


def states(cluster: Cluster, run: str) -> dict[str, str]:
    return {task.task: task.state for task in cluster.tasks(run)}


def test_trigger_previews_and_refuses_without_a_run(cluster: Cluster, dag: str) -> None:
    assert "DAG day2_test would be triggered" in trigger(cluster, {}, "--check")
    assert "trigger_dag_conf is a list" in trigger(cluster, "[1]", fails=True)
    assert "DAG day2_paused is paused" in trigger(cluster, {}, trigger_dag_id="day2_paused", fails=True)
    assert runs(cluster) == []


@pytest.fixture(scope="module")
def failed_run(cluster: Cluster, dag: str) -> tuple[str, str]:
    """Trigger a run that fails, and wait for it; return its id and what the playbook said."""
    conf = json.dumps({"message": MARK, "code": 3})  # as text, as on the command line
    said = trigger(cluster, conf, trigger_dag_wait=True, fails=True)
    return runs(cluster)[-1], said


def test_a_run_that_fails_shows_its_tasks_and_the_end_of_the_log(failed_run: tuple[str, str]) -> None:
    run, said = failed_run
    assert f"Run {run} of DAG day2_test failed" in said
    assert "day2_test: first: failed" in said
    assert f"(1 failed, 2 upstream_failed): first on {WORKER}." in said
    assert f"message {MARK}" in " ".join(said.split())  # lines are folded
    assert "Traceback" not in said.partition("TASK [trigger_dag : trigger")[0]


def clear(cluster: Cluster, run: str, fails: bool = False, **values: object) -> str:
    variables = {"clear_tasks_dag_id": "day2_test", "clear_tasks_run_id": run, **values}
    return play(cluster, "clear_tasks", variables, fails=fails)


def test_clear_lists_first_and_needs_the_confirmation(cluster: Cluster, failed_run: tuple[str, str]) -> None:
    run, _ = failed_run
    before = states(cluster, run)
    assert before == {"first": "failed", "second": "upstream_failed", "third": "upstream_failed"}
    listed = clear(cluster, run, clear_tasks_pattern="second", fails=True)
    assert re.search(rf"day2_test +{re.escape(run)} +second +upstream_failed", listed)
    assert re.search(rf"day2_test +{re.escape(run)} +third +upstream_failed", listed), "downstream is not there"
    assert "repeat with -e clear_tasks_confirm=true" in listed
    assert "first" not in listed.partition("TASK [clear_tasks : clear | Show them]")[2]
    assert "more than clear_tasks_limit (1)" in clear(cluster, run, clear_tasks_limit=1, fails=True)
    other = clear(cluster, run, clear_tasks_confirm=True, clear_tasks_expected="000000000000", fails=True)
    assert "are not those that were shown" in other
    assert states(cluster, run) == before


def test_cleared_tasks_run_again(cluster: Cluster, failed_run: tuple[str, str]) -> None:
    run, _ = failed_run
    day = cluster.sql(f"select date(execution_date) from dag_run where run_id = '{run}'")[0][0]
    said = clear(cluster, "", clear_tasks_start=day, clear_tasks_end=day, clear_tasks_confirm=True)
    assert re.search(rf"{cluster.scheduler} .*changed=1 ", said)
    assert cluster.wait([("day2_test", run)]) == {("day2_test", run): "failed"}
    assert cluster.sql(f"select try_number from task_instance where run_id = '{run}' and task_id = 'first'") == [["2"]]


SPOILED = {  # path: owner, group and mode that it gets, and those that it must have
    f"{HOME}/dags/PROC_TEST/PKG_TEST/PR_TEST.py": ("root:root", "644", "airflow:hadoop 640"),
    f"{HOME}/dags/PROC_TEST": ("root:hadoop", "700", "airflow:hadoop 750"),
    "/var/log/airflow/day2_test": ("root:root", "600", "airflow:hadoop 640"),
}


def attributes(cluster: Cluster) -> dict[str, str]:
    shown = cluster.ssh(WORKER, f"sudo stat -c '%n|%U:%G %a' {' '.join(SPOILED)}").stdout
    return dict(line.split("|") for line in shown.splitlines())


def owners(cluster: Cluster, paths: list[str], *args: str) -> str:
    return play(cluster, "fix_ownership", {"fix_ownership_paths": paths}, "-l", WORKER, *args)


@pytest.fixture
def spoiled(cluster: Cluster) -> Iterator[dict[str, str]]:
    """Give files of one host to root, as a copy by hand does, and a link that leads out; return what they are now."""
    cluster.ssh(WORKER, "sudo touch /var/log/airflow/day2_test && sudo ln -s /etc/hostname /var/log/airflow/day2_link")
    for path, (owner, mode, _) in SPOILED.items():
        cluster.ssh(WORKER, f"sudo chown {owner} {path} && sudo chmod {mode} {path}")
    yield attributes(cluster)
    cluster.ssh(WORKER, "sudo rm -f /var/log/airflow/day2_test /var/log/airflow/day2_link")


def test_owners_and_modes_come_back(cluster: Cluster, spoiled: dict[str, str]) -> None:
    preview = owners(cluster, [], "--check", "--diff")
    assert re.search(
        r"-/var/log/airflow/day2_test root:root 0600\n(.*\n)*?\+/var/log/airflow/day2_test airflow:hadoop 0640", preview
    )
    assert attributes(cluster) == spoiled
    owners(cluster, [f"{HOME}/dags/PROC_TEST/PKG_TEST", "PROC_TEST/PKG_TEST/PR_TEST.py"])
    one = next(iter(SPOILED))
    assert {path for path, now in attributes(cluster).items() if now != spoiled[path]} == {one}
    owners(cluster, [])
    assert attributes(cluster) == {path: right for path, (_, _, right) in SPOILED.items()}
    assert cluster.ssh(WORKER, "stat -c %U /etc/hostname").stdout.strip() == "root"
    assert "changed=0" in owners(cluster, []).rpartition("PLAY RECAP")[2]


def worker_start(cluster: Cluster) -> float:
    """Return when the worker started, in seconds since the epoch."""
    shown = cluster.ssh(WORKER, "systemctl show --timestamp=unix -P ExecMainStartTimestamp airflow-worker").stdout
    return float(shown.strip().lstrip("@"))


def restart(cluster: Cluster, fails: bool = False, **values: object) -> str:
    return play(cluster, "restart", dict(values), "-l", WORKER, fails=fails)


def test_a_worker_restarts_when_its_task_has_ended(cluster: Cluster, dag: str) -> None:
    trigger(cluster, {"hold": 1})
    run, before = runs(cluster)[-1], worker_start(cluster)
    until(lambda: running(cluster, run))
    said = restart(cluster, fails=True, airflow_services_drain_timeout=1)
    assert f"day2_test.first of run {run} still ran after 1 s" in " ".join(said.split())
    assert not is_drained(cluster)
    with ThreadPoolExecutor() as pool:
        restarted = pool.submit(restart, cluster)
        until(lambda: is_drained(cluster))
        time.sleep(5)
        assert running(cluster, run)
        assert worker_start(cluster) == before, "the worker did not wait for its task"
        let_go(cluster)
        restarted.result()
    assert cluster.wait([("day2_test", run)]) == {("day2_test", run): "success"}
    assert cluster.sql(f"select try_number from task_instance where run_id = '{run}' and task_id = 'first'") == [["1"]]
    assert worker_start(cluster) > before
