"""The table of status.yml and its list of problems."""

from typing import Any

import pytest

from filter_plugins.status_table import status_table


def service(**changes: Any) -> dict[str, Any]:
    """Return a service as airflow_service_state describes a healthy one, with changes."""
    healthy = {"installed": True, "state": "active", "since": "2026-03-14 09:26:53Z", "stale": False, "restarts": ""}
    never = dict.fromkeys(("quarantined", "fenced", "standby", "drained", "resumed"), False)
    return {**healthy, **never, **changes}


def result(**services: dict[str, Any]) -> dict[str, Any]:
    """Return what one host says."""
    return {"services": services, "version": "2.11.2", "release": "20260314T092600Z-0123456789ab"}


def test_the_table_has_a_line_for_each_service_and_each_silent_host() -> None:
    results = {
        "mn02p": result(scheduler=service(), webserver=service(state="failed", since="")),
        "dn01p": result(worker=service(stale=True)) | {"release": ""},
        "dn02p": {"unreachable": True, "msg": "timed out"},
    }
    assert status_table(results, {})["text"] == (
        "HOST   SERVICE    STATE                                     VERSION  RELEASE\n"
        "mn02p  scheduler  active since 2026-03-14 09:26:53Z         2.11.2   20260314T092600Z-0123456789ab\n"
        "mn02p  webserver  failed                                    2.11.2   20260314T092600Z-0123456789ab\n"
        "dn01p  worker     active since 2026-03-14 09:26:53Z, stale  2.11.2   -\n"
        "dn02p  -          unreachable                               -        -"
    )


def test_a_worker_that_was_drained_and_resumed_is_told_apart() -> None:
    text = str(status_table({"h": result(worker=service(stale=True, resumed=True))}, {})["text"])
    assert ", stale, would lose its queues in an outage of the broker (restart.yml)" in text


@pytest.mark.parametrize(
    ("host_result", "problems"),
    [
        pytest.param(result(worker=service()), [], id="runs"),
        pytest.param(result(scheduler=service(standby=True, state="inactive")), [], id="a standby is stopped"),
        pytest.param(
            result(scheduler=service(standby=True)),
            ["scheduler on h is active since 2026-03-14 09:26:53Z, and meant to be stopped"],
            id="a standby that runs",
        ),
        pytest.param(
            result(scheduler=service(fenced=True, state="inactive")),
            ["scheduler on h is fenced, the scheduler moved to another host (failover.yml)"],
            id="fenced and meant to run",
        ),
        pytest.param(result(worker=service(stale=True)), [], id="a stale service runs"),
        pytest.param(result(worker=service(state="failed", since="")), ["worker on h is failed"], id="failed"),
        pytest.param(
            result(worker=service(state="inactive", since="", installed=False)),
            ["worker on h is not installed"],
            id="not installed",
        ),
        pytest.param(
            result(worker=service(state="inactive", since="", quarantined=True)),
            ["worker on h is in quarantine, it missed a DAG release (deploy_dags.yml)"],
            id="in quarantine",
        ),
        pytest.param({"unreachable": True}, ["h is unreachable"], id="unreachable"),
        pytest.param(result(), [], id="no services"),
    ],
)
def test_problems(host_result: dict[str, Any], problems: list[str]) -> None:
    assert status_table({"h": host_result}, {})["problems"] == problems


def test_a_host_on_another_release_is_a_problem() -> None:
    other = result(worker=service()) | {"release": "20260101T000000Z-ba9876543210"}
    silent = {"unreachable": True, "msg": "timed out"}
    (problem, _) = status_table({"a": result(worker=service()), "b": other, "c": silent}, {})["problems"][::-1]  # type: ignore[index]
    assert problem == (
        "the DAG releases differ (a 20260314T092600Z-0123456789ab, b 20260101T000000Z-ba9876543210), "
        "deploy_dags.yml levels them"
    )


def test_a_scheduler_too_many_is_a_problem() -> None:
    other = {"host": "mn02p", "text": "process 4711 of root on mn02p since noon (airflow scheduler)"}
    table = status_table({"mn02p": result(scheduler=service())}, {"others": [other], "error": ""})
    said = f"another scheduler runs, {other['text']}, end that one"
    assert table["problems"] == [said]
    assert str(table["text"]).splitlines()[2:] == [said]


def test_what_is_not_known_and_what_systemd_mended_is_said_and_no_problem() -> None:
    died = service(restarts="died once in the last 24 hours, the last time at noon by signal KILL")
    table = status_table({"mn02p": result(scheduler=died)}, {"others": [], "error": "the database does not answer"})
    assert table["problems"] == []
    assert str(table["text"]).splitlines()[2:] == [
        "scheduler on mn02p died once in the last 24 hours, the last time at noon by signal KILL",
        "nobody can tell whether another scheduler runs, since the database does not answer",
    ]
