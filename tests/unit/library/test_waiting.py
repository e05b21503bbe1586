"""Why tasks wait, as far as it can be told without Airflow."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.airflow_inside.waiting import queue_of, run_reasons, task_reasons

from filter_plugins.waiting_warnings import waiting_warnings

FREE = {"queues": ["default", "dn01p"], "busy": 1, "most": 2}
FULL = {**FREE, "busy": 2}
POOL = {"default_pool": {"open": 3, "total": 128}, "sftp": {"open": 0, "total": 2}}


def waits(name: str, state: str = "queued", queue: str = "default", pool: str = "default_pool") -> dict[str, Any]:
    return {"name": name, "state": state, "queue": queue, "pool": pool}


@pytest.mark.parametrize(
    ("waiting", "workers", "expected"),
    [
        pytest.param([waits("say")], {"dn01p": FREE}, [], id="a worker will take it"),
        pytest.param(
            [waits("say", queue="spark_heavy"), waits("more", queue="spark_heavy")],
            {"dn01p": FREE},
            ["say, more queued: no worker listens to queue spark_heavy (those that answer: dn01p to default, dn01p)"],
            id="a queue that nobody hears",
        ),
        pytest.param(
            [waits("say")], {}, ["say queued: no worker listens to queue default (no worker answers)"], id="no worker"
        ),
        pytest.param([waits("say")], None, ["say queued: the broker does not answer"], id="no broker"),
        pytest.param(
            [waits("say")],
            {"dn01p": FULL},
            ["say queued: the workers of queue default are full (dn01p has 2 of 2 tasks)"],
            id="full workers",
        ),
        pytest.param([waits("say")], {"dn01p": FULL, "dn02p": FREE}, [], id="one is not full"),
        pytest.param(
            [waits("get", "scheduled", pool="sftp")],
            {"dn01p": FREE},
            ["get scheduled: all 2 slots of pool sftp are taken"],
            id="a full pool",
        ),
        pytest.param([waits("get", "scheduled")], {"dn01p": FREE}, [], id="a pool with room"),
    ],
)
def test_why_tasks_wait(waiting: list[dict[str, Any]], workers: dict[str, Any] | None, expected: list[str]) -> None:
    assert task_reasons(waiting, workers, POOL) == expected


RUN = {"state": "running", "active": 1, "most": 1, "paused": False, "scheduler": True}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"paused": True}, ["the DAG is paused"]),
        ({"scheduler": False}, ["no scheduler has a heartbeat"]),
        ({"state": "queued"}, ["the run is queued: 1 runs are active, of at most 1 (max_active_runs)"]),
        ({"state": "queued", "active": 0}, []),
    ],
)
def test_why_a_run_waits(values: dict[str, Any], expected: list[str]) -> None:
    assert run_reasons({**RUN, **values}) == expected


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ({"__var": {"task_id": "t", "queue": "spark"}, "__type": "operator"}, "spark"),
        ({"__var": {"task_id": "t"}, "__type": "operator"}, "default"),
        ({"__var": {"task_id": "t", "partial_kwargs": {"queue": "spark"}}}, "spark"),
        ({"task_id": "t", "queue": "spark"}, "spark"),
    ],
    ids=["named", "the default", "mapped", "not wrapped"],
)
def test_the_queue_of_a_stored_task(task: dict[str, Any], queue: str) -> None:
    assert queue_of(task, "default") == (queue, "t")


@pytest.mark.parametrize(
    ("result", "lines"),
    [
        ({}, []),
        ({"unreachable": True}, []),
        ({"reasons": ["a queued: x"], "unheard": {}}, ["Warning: a queued: x"]),
        (
            {"reasons": [], "unheard": {"spark": ["d.a", "d.b"]}},
            ["Warning: no worker listens to queue spark (airflow_worker_queues), which these name: d.a, d.b"],
        ),
    ],
)
def test_what_status_says(result: dict[str, Any], lines: list[str]) -> None:
    assert waiting_warnings(result) == lines
