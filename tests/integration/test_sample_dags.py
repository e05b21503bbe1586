"""The sample tree on a running cluster: every DAG of it ends as it should, on data nodes, and mails about it."""

from __future__ import annotations

import email
import email.message
import email.policy
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lab.airflow_cluster import Cluster
from tests.integration.sample_services import FILE_USER, mails, offer_file

DATANODES = {"dn01p", "dn02p", "dn03p"}
RUN = f"sample-{secrets.token_hex(4)}"
# The date in conf; a new one in each session, because runs that MAIN_DAG and TRIGGER_TEST start are named after it.
DAY = f"{secrets.randbelow(10**8):08}"
MISSING = f"{secrets.randbelow(10**8):08}"
CHILD = f"MAIN_DAG__{DAY}"


@dataclass(frozen=True)
class Task:
    """What became of one task."""

    state: str
    host: str
    value: Any


Tasks = dict[str, Task]  # by task id, with [index] for a mapped one


def read_tasks(cluster: Cluster, dag: str, run: str) -> Tasks:
    """Return the tasks of a run with the values that they returned."""
    rows = cluster.sql(
        "select t.task_id, t.map_index, ifnull(t.state, 'none'), t.hostname, ifnull(hex(x.value), '') "
        "from task_instance t left join xcom x on x.dag_id = t.dag_id and x.run_id = t.run_id "
        "and x.task_id = t.task_id and x.map_index = t.map_index and x.`key` = 'return_value' "
        f"where t.dag_id = '{dag}' and t.run_id = '{run}'"
    )
    return {
        name if index == "-1" else f"{name}[{index}]": Task(
            state, host, json.loads(bytes.fromhex(value)) if value else None
        )
        for name, index, state, host, value in rows
    }


def add_connections(cluster: Cluster) -> None:
    """Make the two connections of the tree, with the password and the host key of the lab."""
    password = cluster.secrets()["airflow_config_smtp_password"]
    host_key = cluster.ssh("mn01p", "cat /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()
    pinned = {"no_host_key_check": False, "host_key": " ".join(host_key[:2])}
    for name, kind, extra in (("sftp_receive", "sftp", pinned), ("ftp_receive", "ftp", {})):
        value = {
            "conn_type": kind,
            "host": "mn01p",
            "login": FILE_USER,
            "password": password,
            "extra": extra,
        }
        cluster.airflow("connections", "delete", name, check=False)
        cluster.airflow("connections", "add", name, "--conn-json", json.dumps(value))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within the time"
        time.sleep(1)


@pytest.fixture(scope="module")
def ends(cluster: Cluster) -> dict[tuple[str, str], str]:
    """Start all DAGs of the tree at once, wait for them, and return the state of each run."""
    offer_file(cluster, f"SALES_{DAY}.csv", "shop,amount\nseoul,100\nbusan,50\n")
    add_connections(cluster)
    for dag in ("MAIN_DAG", "MONTHLY_REPORT"):
        cluster.wait_for_dag(dag)
    # Switched on first and alone: Airflow starts the schedule that MAIN_DAG has missed.
    cluster.airflow("dags", "unpause", "--treat-dag-id-as-regex", "--yes", "MAIN_DAG|.*_(DAG|TEST|REPORT)")
    until(lambda: bool(cluster.sql("select 1 from dag_run where dag_id = 'MAIN_DAG' and run_type = 'scheduled'")))
    runs: list[tuple[str, str, dict[str, object]]] = [
        ("TRIGGER_TEST", f"{RUN}-1", {"P_YYYYMMDD": DAY}),
        ("MAIN_DAG", RUN, {"P_YYYYMMDD": DAY}),
        ("TRIGGER_RULE_TEST", RUN, {}),
        ("RUN_AS_USER_TEST", RUN, {}),
        ("RECV_DAG", RUN, {"P_YYYYMMDD": MISSING}),
        ("RECV_DAG", f"{RUN}-no-date", {}),
        ("WORK_TEST", RUN, {"message": "$(id); 안녕"}),
    ]
    again: tuple[str, str, dict[str, object]] = ("TRIGGER_TEST", f"{RUN}-2", {"P_YYYYMMDD": DAY})
    cluster.trigger(*runs)
    cluster.wait([("TRIGGER_TEST", f"{RUN}-1")])
    cluster.trigger(again)
    return cluster.wait([(dag, run) for dag, run, _ in [*runs, again]])


@pytest.fixture(scope="module")
def tasks(cluster: Cluster, ends: object) -> Callable[[str, str], Tasks]:
    """Return a function that reads the tasks of a run, once all runs have ended."""
    return lambda dag, run: read_tasks(cluster, dag, run)


@pytest.fixture(scope="module")
def received(cluster: Cluster, ends: object) -> list[email.message.EmailMessage]:
    """Return the mails about the runs of this session."""
    marks = (RUN, CHILD, f"TRIGGER_TEST__{DAY}")
    return [mail for mail in mails(cluster) if any(mark in body(mail) for mark in marks)]


def body(mail: email.message.EmailMessage) -> str:
    part = mail.get_body(("html", "plain"))
    return str(part.get_content()) if part else ""


def subjects(received: list[email.message.EmailMessage]) -> list[str]:
    return [mail["subject"] for mail in received]


@pytest.mark.parametrize(
    ("dag", "run", "state"),
    [
        ("MAIN_DAG", RUN, "success"),
        ("TRIGGER_TEST", f"{RUN}-1", "success"),
        ("TRIGGER_TEST", f"{RUN}-2", "success"),
        ("TRIGGER_RULE_TEST", RUN, "success"),
        ("RUN_AS_USER_TEST", RUN, "success"),
        ("WORK_TEST", RUN, "success"),
        ("RECV_DAG", RUN, "failed"),
        ("RECV_DAG", f"{RUN}-no-date", "failed"),
    ],
)
def test_every_run_ends_as_it_should(ends: dict[tuple[str, str], str], dag: str, run: str, state: str) -> None:
    assert ends[dag, run] == state


def test_main_dag_switched_on_outside_its_schedule_runs_nothing(
    cluster: Cluster, tasks: Callable[[str, str], Tasks]
) -> None:
    rows = cluster.sql("select run_id from dag_run where dag_id = 'MAIN_DAG' and run_type = 'scheduled' order by id")
    found = tasks("MAIN_DAG", rows[-1][0])
    assert found.pop("check_schedule").state == "success"
    assert {task.state for task in found.values()} == {"skipped"}


def test_main_dag_by_hand_runs_its_dags_for_the_date(tasks: Callable[[str, str], Tasks]) -> None:
    assert {task.state for task in tasks("MAIN_DAG", RUN).values()} == {"success"}
    received = tasks("RECV_DAG", CHILD)
    assert received["wait_for_input_file"].state == "success"
    assert received["read_input_file"].value == 2
    assert f"SALES_{DAY}.csv" in received["list_ftp"].value
    assert received["file_missing"].state == "skipped"


def test_mapped_tasks_follow_the_list(tasks: Callable[[str, str], Tasks]) -> None:
    found = tasks("FORECAST_DAG", CHILD)
    assert [found[f"FORECAST[{index}]"].value for index in range(3)] == ["서울 105", "부산 105", "제주 105"]
    assert found["SUMMARY"].value == "서울 105, 부산 105, 제주 105"
    assert found["FORECAST_SPARK"].state == "skipped"


def test_names_with_spaces_and_korean_letters_arrive(tasks: Callable[[str, str], Tasks]) -> None:
    found = tasks("MONTHLY_REPORT", CHILD)
    assert found["check_form"].value.startswith("보고서 양식.json ")
    assert found["write_report"].value.startswith(f"월별 매출 예측 보고서 ({DAY})")


def test_a_file_that_does_not_come_times_out(tasks: Callable[[str, str], Tasks]) -> None:
    found = {name: task.state for name, task in tasks("RECV_DAG", RUN).items()}
    assert found == {
        "wait_for_input_file": "failed",
        "read_input_file": "upstream_failed",
        "list_ftp": "upstream_failed",
        "file_missing": "success",
    }


@pytest.mark.parametrize(
    ("run", "value"),
    [
        pytest.param(f"TRIGGER_TEST__{DAY}", "here is the message: Hello World, 안녕하세요", id="from another DAG"),
        pytest.param(RUN, "here is the message: $(id); 안녕", id="by hand, not run by the shell"),
    ],
)
def test_conf_reaches_the_task(tasks: Callable[[str, str], Tasks], run: str, value: str) -> None:
    found = tasks("WORK_TEST", run)
    assert found["bash_task"].value == value
    assert found["count_letters"].value == len(value)


def test_reset_dag_run_repeats_the_same_run(cluster: Cluster, ends: object) -> None:
    run = f"dag_id = 'WORK_TEST' and run_id = 'TRIGGER_TEST__{DAY}'"
    # Not try_number: a task that is queued twice counts one more, although it runs once.
    rows = cluster.sql(f"select task_id, count(*) from log where {run} and event = 'success' group by task_id")
    assert {count for _, count in rows} == {"2"}
    assert cluster.sql(f"select state from dag_run where {run}") == [["success"]]


def test_trigger_rules(tasks: Callable[[str, str], Tasks]) -> None:
    found = {name: task.state for name, task in tasks("TRIGGER_RULE_TEST", RUN).items()}
    assert {state for name, state in found.items() if name.startswith("met_")} == {"success"}
    assert {name: state for name, state in found.items() if not name.startswith("met_")} == {
        "ok": "success",
        "bad": "failed",
        "skipped": "skipped",
        "not_met_all_success": "upstream_failed",
        "not_met_all_failed": "skipped",
        "not_met_one_failed": "skipped",
        "not_met_one_success": "upstream_failed",
        "not_met_none_failed": "upstream_failed",
        "not_met_none_failed_min_one_success": "skipped",
        "not_met_none_skipped": "skipped",
        "end": "success",
    }


def test_run_as_user_is_another_account_on_a_data_node(tasks: Callable[[str, str], Tasks]) -> None:
    found = tasks("RUN_AS_USER_TEST", RUN)
    assert {task.value for task in found.values()} == {"hmgetl"}
    assert {task.host for task in found.values()} <= DATANODES


def test_tasks_ran_on_data_nodes_only(cluster: Cluster, ends: object) -> None:
    rows = cluster.sql(f"select distinct hostname from task_instance where run_id like '{RUN}%' or run_id = '{CHILD}'")
    assert {host for (host,) in rows} - {""} <= DATANODES


@pytest.mark.parametrize(
    "subject",
    [
        "[Airflow][SUCCESS] WORK_TEST.section_1.task_2",
        "[Airflow][SUCCESS] RUN_AS_USER_TEST.bash_user",
        "[Airflow][FAILED] TRIGGER_RULE_TEST.bad",
        "[Airflow][FAILED] RECV_DAG.wait_for_input_file",
    ],
)
def test_success_and_failure_are_mailed(received: list[email.message.EmailMessage], subject: str) -> None:
    assert subject in subjects(received)


def test_mails_came_encrypted_from_data_nodes(received: list[email.message.EmailMessage]) -> None:
    assert received
    assert all("TLS" in mail["received"] for mail in received)
    assert all("작업이" in body(mail) for mail in received)


def test_a_run_without_its_date_says_what_is_missing(received: list[email.message.EmailMessage]) -> None:
    (mail,) = [mail for mail in received if f"{RUN}-no-date" in body(mail)]
    assert "P_YYYYMMDD is" in body(mail)
