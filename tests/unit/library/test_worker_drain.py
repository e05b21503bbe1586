"""Draining a worker: what it waits for, when it gives up, and that the worker then takes tasks again."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.airflow_inside.worker_drain import drain, task_name

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


class Worker:
    """A worker whose tasks end one at a look."""

    def __init__(self, queues: list[str] | None, looks: list[list[str]]) -> None:
        self._queues, self._looks, self.told = queues, looks, []  # type: ignore[var-annotated]

    def queues(self) -> list[str] | None:
        return self._queues

    def tasks(self) -> list[str]:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def cancel(self, queues: list[str]) -> None:
        self.told.append(("cancel", queues))

    def resume(self, queues: list[str]) -> None:
        self.told.append(("resume", queues))


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
        pytest.param([["t"]], {"left": 600}, {"busy": [], "again": {"seen": ["t"]}}, [("cancel", OWN)], id="goes on"),
        pytest.param(
            [["t"]],
            {"left": 10},
            {"busy": ["t"], "again": None},
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
    looks: list[list[str]], values: dict[str, Any], expected: dict[str, Any], told: list[tuple[str, list[str]]]
) -> None:
    worker = Worker(OWN, looks)
    request = {"left": 600, "force": False, "check": False, "queues": OWN, "seen": [], **values}
    answer = drain(worker, request, Clock())
    assert {name: answer[name] for name in expected} == expected
    assert worker.told == told


def test_a_worker_that_does_not_answer_is_not_waited_for() -> None:
    worker = Worker(None, [["t"]])
    assert drain(worker, {"left": 600, "force": False, "check": False, "queues": OWN}, Clock())["answers"] is False
    assert worker.told == []


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
