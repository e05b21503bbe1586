"""What a health page says, and whose it is."""

from types import SimpleNamespace

import pytest

from library import airflow_service_health
from library.airflow_service_health import Probe, page_problem

HEALTHY = '{"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}}'
UNHEALTHY = '{"metadatabase": {"status": "unhealthy"}}'


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        pytest.param(200, "", "", id="scheduler"),
        pytest.param(503, "", "its health page answers 503", id="scheduler without heartbeat"),
        pytest.param(200, HEALTHY, "", id="web server, whatever the scheduler does"),
        pytest.param(200, UNHEALTHY, "its health page calls the metadata database unhealthy", id="web server alone"),
        pytest.param(200, "[]", "", id="another JSON"),
        pytest.param(404, HEALTHY, "its health page answers 404", id="not this page"),
    ],
)
def test_page_problem(status: int, body: str, problem: str) -> None:
    assert page_problem(status, body) == problem


PAGE, COMMAND = "http://localhost:8974/health", ["airflow", "jobs", "check"]


@pytest.mark.parametrize(
    ("url", "command", "listens", "own", "foreign"),
    [
        pytest.param(PAGE, COMMAND, True, False, True, id="another process's"),
        pytest.param(PAGE, COMMAND, True, True, False, id="the unit's own"),
        pytest.param(PAGE, COMMAND, False, False, False, id="nobody's yet"),
        pytest.param(PAGE, None, True, False, False, id="a page that may lie elsewhere"),
        pytest.param(None, COMMAND, True, False, False, id="no page"),
    ],
)
def test_a_page_of_another_process_says_nothing_about_the_unit(
    monkeypatch: pytest.MonkeyPatch, url: str | None, command: list[str] | None, listens: bool, own: bool, foreign: bool
) -> None:
    shown = {"ActiveState": "active", "MainPID": "10"}

    def run(argv: list[str], check_rc: bool = False) -> tuple[int, str, str]:
        return (0, shown[argv[2].partition("=")[2]], "") if argv[0] == "systemctl" else (1, "", "")

    monkeypatch.setattr(airflow_service_health, "listening", lambda port: {"socket:[1]"} if listens else set())
    monkeypatch.setattr(airflow_service_health, "answers_itself", lambda main, port, _found: own)
    monkeypatch.setattr(airflow_service_health, "fetch_problem", lambda _url: "")
    params = {"unit": "airflow-scheduler.service", "url": url, "command": command}
    probe = Probe(SimpleNamespace(params=params, run_command=run))
    assert probe.foreign_page() is foreign
    assert probe.problem() == ("'airflow jobs check' returns 1" if foreign or not url else "")


@pytest.mark.parametrize(
    ("state", "result", "problem", "given_up"),
    [
        ("activating", "success", "systemd calls it activating", False),
        ("failed", "exit-code", "systemd calls it failed", True),
        ("inactive", "success", "systemd calls it inactive", False),
        ("inactive", "exec-condition", "another scheduler keeps it from starting", True),
    ],
)
def test_what_systemd_says_of_a_unit_that_does_not_run(state: str, result: str, problem: str, given_up: bool) -> None:
    shown = {"ActiveState": state, "Result": result}
    probe = Probe(
        SimpleNamespace(
            params={"unit": "airflow-scheduler.service"},
            run_command=lambda argv, check_rc: (0, shown[argv[2].partition("=")[2]], ""),
        )
    )
    assert (probe.problem(), probe.given_up()) == (problem, given_up)
