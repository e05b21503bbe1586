"""Draining a worker: what it waits for, when it gives up, and that the worker then takes tasks again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.airflow_inside import worker_drain
from ansible.module_utils.airflow_inside.worker_drain import UNKNOWN, drain, has_ended, task_name

from library import airflow_worker_drain
from library.airflow_service_state import is_drained

COMMAND = ["airflow", "tasks", "run", "MAIN_DAG", "load", "manual__1", "--local"]


@pytest.mark.parametrize(
    ("task", "name"),
    [
        pytest.param({"args": [COMMAND]}, "MAIN_DAG.load of run manual__1", id="a task"),
        pytest.param({"args": [[*COMMAND, "--map-index", "3"]]}, "MAIN_DAG.load[3] of run manual__1", id="mapped"),
        pytest.param({"args": [], "name": "other", "id": "7"}, "other (7)", id="not Airflow's"),
        pytest.param({"args": "['airflow'", "id": "7"}, "a task (7)", id="cut off"),
    ],
)
def test_a_task_is_named_as_people_know_it(task: dict[str, Any], name: str) -> None:
    assert task_name(task) == name


@pytest.mark.parametrize(
    ("children", "started", "ended"),
    [
        pytest.param("4711 ", 0, False, id="it runs"),
        pytest.param("", 95, False, id="it starts"),
        pytest.param("", 1, True, id="only Celery thinks so"),
        pytest.param(None, 0, False, id="the process is not to be seen"),
    ],
)
def test_a_task_that_ended_while_the_broker_was_away_is_not_waited_for(
    tmp_path: Path, children: str | None, started: float, ended: bool
) -> None:
    if children is not None:
        (tmp_path / "7/task/7").mkdir(parents=True)
        (tmp_path / "7/task/7/children").write_text(children)
    assert has_ended({"worker_pid": 7, "time_start": started}, 100, tmp_path) is ended


class Worker:
    """A worker whose tasks end one at a look; None is a look at which it is silent."""

    def __init__(self, queues: list[str] | None, looks: list[list[str] | None]) -> None:
        self._queues, self._looks, self.told = queues, looks, []  # type: ignore[var-annotated]

    def queues(self) -> list[str] | None:
        return self._queues

    def tasks(self) -> list[str] | None:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def cancel(self, queues: list[str]) -> None:
        self.told.append(("cancel", queues))

    def resume(self, queues: list[str]) -> bool:
        self.told.append(("resume", queues))
        return self._looks[-1] is not None


class Clock:
    """A clock that only sleeping moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


OWN = ["default", "dn01p"]


@pytest.mark.parametrize(
    ("looks", "values", "expected", "told"),
    [
        pytest.param([[]], {}, {"busy": [], "again": None}, [("cancel", OWN)], id="idle"),
        pytest.param([["t"], ["t"], []], {}, {"busy": [], "again": None}, [("cancel", OWN)], id="a short task"),
        pytest.param(
            [["t"]],
            {"left": 600},
            {"busy": [], "again": {"begun": True, "seen": ["t"]}},
            [("cancel", OWN)],
            id="goes on",
        ),
        pytest.param([["t"], None, []], {}, {"busy": [], "again": None}, [("cancel", OWN)], id="silent for a moment"),
        pytest.param(
            [["t"], None],
            {"left": 10},
            {"busy": [UNKNOWN], "taking": False, "again": None},
            [("cancel", OWN), ("resume", OWN)],
            id="silence is not freedom",
        ),
        pytest.param(
            [None],
            {"left": 600},
            {"busy": [], "again": {"begun": True, "seen": [UNKNOWN]}},
            [("cancel", OWN)],
            id="silent, goes on",
        ),
        pytest.param(
            [["t"]],
            {"left": 10},
            {"busy": ["t"], "taking": True, "again": None},
            [("cancel", OWN), ("resume", OWN)],
            id="outlasts the limit: takes tasks again",
        ),
        pytest.param(
            [["t"]],
            {"left": 10, "force": True},
            {"busy": ["t"], "again": None},
            [("cancel", OWN)],
            id="outlasts the limit, forced: stays drained",
        ),
        pytest.param([["t"]], {"check": True}, {"busy": [], "tasks": ["t"]}, [], id="a preview only looks"),
    ],
)
def test_a_drain(
    looks: list[list[str] | None], values: dict[str, Any], expected: dict[str, Any], told: list[tuple[str, list[str]]]
) -> None:
    worker = Worker(OWN, looks)
    request = {"left": 600, "force": False, "check": False, "begun": False, "queues": OWN, "seen": [], **values}
    answer = drain(worker, request, Clock())
    assert {name: answer[name] for name in expected} == expected
    assert worker.told == told


REQUEST = {"left": 10, "force": False, "check": False, "queues": OWN}


def test_a_worker_that_does_not_answer_is_not_waited_for() -> None:
    worker = Worker(None, [["t"]])
    assert drain(worker, {**REQUEST, "begun": False}, Clock())["answers"] is False
    assert worker.told == []


def test_a_worker_that_falls_silent_between_two_calls_is_busy() -> None:
    worker = Worker(None, [None])
    answer = drain(worker, {**REQUEST, "begun": True}, Clock())
    assert (answer["answers"], answer["busy"]) == (True, [UNKNOWN])


class Inspect:
    """What Celery answers for celery@dn01p; a broker that is not there raises."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    def __getattr__(self, question: str) -> Any:
        def ask() -> Any:
            answer = self._answers[question]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return ask


@pytest.mark.parametrize(
    ("active", "reserved", "tasks"),
    [
        pytest.param({"celery@dn01p": []}, {"celery@dn01p": []}, [], id="free"),
        pytest.param({"celery@dn01p": [{"args": [COMMAND]}]}, {"celery@dn01p": []}, 1, id="a task"),
        pytest.param(None, None, None, id="nobody answers"),
        pytest.param({"celery@dn01p": []}, {}, None, id="half an answer"),
        pytest.param({"celery@dn02p": []}, {"celery@dn02p": []}, None, id="another worker answers"),
        pytest.param(OSError(), {}, None, id="no broker"),
    ],
)
def test_only_an_answer_says_that_a_worker_is_free(active: Any, reserved: Any, tasks: Any) -> None:
    class Control:
        def inspect(self, **_: Any) -> Inspect:
            return Inspect({"active": active, "reserved": reserved})

    class App:
        control = Control()

    found = worker_drain.Worker(App(), "celery@dn01p", (OSError,)).tasks()
    assert (len(found) if found else found) == tasks


@pytest.mark.parametrize(
    ("taking", "untouched", "notes"),
    [
        pytest.param(True, False, ["resumed"], id="takes tasks again"),
        pytest.param(False, False, ["drained"], id="stays drained, or its resume failed"),
        pytest.param(False, True, [], id="never drained"),
    ],
)
def test_the_note_of_a_drain_stays_until_the_worker_takes_tasks(
    taking: bool, untouched: bool, notes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow_worker_drain, "NOTE", tmp_path / "drained")
    monkeypatch.setattr(airflow_worker_drain, "RESUMED", tmp_path / "resumed")
    (tmp_path / "drained").touch()
    airflow_worker_drain.keep_notes(taking, untouched)
    assert [path.name for path in tmp_path.iterdir()] == notes


@pytest.mark.parametrize(
    ("started", "noted", "drained"),
    [
        pytest.param(10.0, None, False, id="no note"),
        pytest.param(10.0, 20.0, True, id="drained while it ran"),
        pytest.param(30.0, 20.0, False, id="started since"),
        pytest.param(None, 20.0, False, id="not running"),
    ],
)
def test_a_worker_is_drained_until_it_starts_again(started: float | None, noted: float | None, drained: bool) -> None:
    assert is_drained(started, noted) is drained
