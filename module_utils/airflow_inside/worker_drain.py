"""Drain a Celery worker: it takes no more tasks, and those that it has come to their end."""

from __future__ import annotations

import time
from typing import Any

Answer = dict[str, Any]
# A call waits for so many seconds, so that whoever waits sees something; the next one costs another start of Airflow.
SLICE = 30
POLL = 2  # seconds
REPLY = 5  # seconds that a worker gets to answer; it does so within milliseconds, whatever its tasks do


def main(request: Answer) -> Answer:
    """Do one part of a request for the worker ``worker``.

    ``resume`` lets it take tasks from ``queues`` again. Otherwise it is drained for up to ``left`` seconds, at most
    SLICE in one call. ``again`` of the answer is the request of the next call while tasks run and time is left. When
    time is over and tasks still run, they are ``busy``, and the worker takes tasks again unless ``force``.
    """
    from airflow.providers.celery.executors.celery_executor import app  # noqa: PLC0415 - only there is Airflow
    from kombu.exceptions import OperationalError  # noqa: PLC0415

    worker = Worker(app, request["worker"])
    try:
        if request["resume"]:
            worker.resume(request["queues"])
            return {"answers": worker.queues() is not None, "busy": [], "lines": [], "again": None}
        return drain(worker, request)
    except (OperationalError, OSError):  # no broker
        return {"answers": False, "busy": [], "lines": [], "again": None}


class Worker:
    """A worker, reached through the broker."""

    def __init__(self, app: Any, name: str) -> None:
        self._control, self._name = app.control, name
        self._inspect = app.control.inspect(destination=[name], timeout=REPLY)

    def queues(self) -> list[str] | None:
        """Return the queues that it takes tasks from; None when it does not answer."""
        answer = self._inspect.active_queues() or {}
        return [queue["name"] for queue in answer[self._name]] if self._name in answer else None

    def tasks(self) -> list[str]:
        """Return the names of the tasks that it runs or has taken."""
        answers = (self._inspect.active() or {}, self._inspect.reserved() or {})
        return sorted(task_name(task) for answer in answers for task in answer.get(self._name) or [])

    def cancel(self, queues: list[str]) -> None:
        """Let it take nothing more from queues."""
        for queue in queues:
            self._control.cancel_consumer(queue, destination=[self._name], reply=True, timeout=REPLY)

    def resume(self, queues: list[str]) -> None:
        """Let it take tasks from queues."""
        for queue in queues:
            self._control.add_consumer(queue, destination=[self._name], reply=True, timeout=REPLY)


def task_name(task: dict[str, Any]) -> str:
    """Return DAG, task and run of what Celery knows of a task: its argument is a command, airflow tasks run ..."""
    try:
        command = [str(word) for word in task["args"][0]]
        dag, name, run = command[command.index("run") + 1 :][:3]
    except (KeyError, IndexError, TypeError, ValueError):
        return f"{task.get('name') or 'a task'} ({task.get('id')})"
    index = f"[{command[command.index('--map-index') + 1]}]" if "--map-index" in command else ""
    return f"{dag}.{name}{index} of run {run}"


def drain(worker: Any, request: Answer, clock: Any = time) -> Answer:
    """Drain a worker as far as one call goes."""
    start, queues = clock.monotonic(), worker.queues()
    if queues is None:
        return {"answers": False, "busy": [], "lines": [], "again": None}
    if request["check"]:
        return {"answers": True, "busy": [], "tasks": worker.tasks(), "lines": [], "again": None}
    worker.cancel(queues)
    while True:
        tasks = worker.tasks()
        if not tasks or clock.monotonic() - start + POLL > min(request["left"], SLICE):
            break
        clock.sleep(POLL)
    goes_on = bool(tasks) and request["left"] > SLICE
    busy = [] if goes_on else tasks
    if busy and not request["force"]:
        worker.resume(request["queues"])
    return {
        "answers": True,
        "busy": busy,
        "lines": [f"waits for {', '.join(tasks)}"] if tasks and tasks != request.get("seen") else [],
        "again": {"seen": tasks} if goes_on else None,
    }
