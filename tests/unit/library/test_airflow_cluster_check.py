"""What the check makes of the answers of the web server."""

from typing import Any

import pytest

from library.airflow_cluster_check import is_local, refusal, task_problem, unread_workers, worker_line

LOG = "[2026-03-14] {logging_mixin.py:190} INFO - airflow_ops_check ran on dn01p"
UNREADABLE = "its task ran, but the web server cannot show its log"
NOT_TAKEN = "its task was not taken in time ({}): the worker is down, busy or does not listen on its queue"


@pytest.mark.parametrize(
    ("instance", "log", "problem"),
    [
        pytest.param({"state": "success"}, LOG, "", id="done"),
        pytest.param({"state": "success"}, "Could not read served logs", UNREADABLE, id="log not readable"),
        pytest.param({"state": "queued"}, "", NOT_TAKEN.format("queued"), id="worker down"),
        pytest.param({"state": None}, "", NOT_TAKEN.format("not scheduled"), id="not scheduled"),
        pytest.param(None, "", NOT_TAKEN.format("not scheduled"), id="no task instance"),
        pytest.param({"state": "running"}, "", "its task started and did not end in time", id="hangs"),
        pytest.param({"state": "failed"}, LOG, "its task ended as failed", id="failed"),
    ],
)
def test_task_problem(instance: dict[str, Any] | None, log: str, problem: str) -> None:
    assert task_problem(instance, log) == problem


@pytest.mark.parametrize(
    ("instance", "problem", "line"),
    [
        pytest.param({"hostname": "dn01p", "duration": 0.34}, "", "dn01p: ran on dn01p in 0.3 s, log read", id="done"),
        pytest.param({"hostname": "", "duration": None}, "it is down", "dn01p: it is down", id="problem"),
        pytest.param(None, "it is down", "dn01p: it is down", id="no task instance"),
    ],
)
def test_worker_line(instance: dict[str, Any] | None, problem: str, line: str) -> None:
    assert worker_line("dn01p", instance, problem) == line


@pytest.mark.parametrize(
    ("queues", "unread"),
    [
        pytest.param([], ["dn01p", "dn02p"], id="nothing read"),
        pytest.param(["dn01p"], ["dn02p"], id="a new worker"),
        pytest.param(["dn02p", "dn01p", "dn03p"], [], id="more than asked for"),
    ],
)
def test_unread_workers(queues: list[str], unread: list[str]) -> None:
    assert unread_workers([{"queue": queue} for queue in queues], ["dn01p", "dn02p"]) == unread


@pytest.mark.parametrize(
    ("url", "local"),
    [
        pytest.param("http://localhost:8080", True, id="name"),
        pytest.param("https://127.0.0.1:8443", True, id="address"),
        pytest.param("https://[::1]:8443", True, id="IPv6"),
        pytest.param("https://localhost.example.com", False, id="another name"),
        pytest.param("https://mn02p:8443", False, id="host"),
    ],
)
def test_is_local(url: str, local: bool) -> None:
    assert is_local(url) is local


@pytest.mark.parametrize(
    ("status", "where"),
    [
        pytest.param(401, "airflow_ui_passwords", id="password"),
        pytest.param(403, "airflow_ui_users", id="password or role"),
        pytest.param(500, "journalctl -u airflow-webserver", id="anything else"),
    ],
)
def test_refusal_says_where_to_look(status: int, where: str) -> None:
    assert where in refusal(status, "admin")
