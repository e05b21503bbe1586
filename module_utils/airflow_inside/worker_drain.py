"""Drain a Celery worker: it takes no more tasks, and those that it has come to their end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
# A call waits for so many seconds, so that whoever waits sees something; the next one costs another start of Airflow.
SLICE = 30
POLL = 2  # seconds
REPLY = 5  # seconds that a worker gets to answer; it does so within milliseconds, whatever its tasks do
STARTS = 10  # seconds that a task may take until its process is there
UNKNOWN = "tasks that it does not name, because it does not answer"


def main(request: Answer) -> Answer:
    """Do one part of a request for the worker ``worker``.

    ``resume`` lets it take tasks from ``queues`` again. Otherwise it is drained for up to ``left`` seconds, at most
    SLICE in one call. ``again`` of the answer is the request of the next call while tasks run and time is left. When
    time is over and tasks still run, they are ``busy``, and the worker takes tasks again unless ``force``; ``taking``
    says whether it was seen to do so.
    """
    from airflow.providers.celery.executors.celery_executor import app  # noqa: PLC0415 - only there is Airflow
    from kombu.exceptions import OperationalError  # noqa: PLC0415

    worker = Worker(app, request["worker"], (OperationalError, OSError))
    if request["resume"]:
        taking = worker.resume(request["queues"])
        return {"answers": taking, "taking": taking, "busy": [], "lines": [], "again": None}
    return drain(worker, request)


class Worker:
    """A worker, reached through the broker.

    :param errors: what a broker that is not there raises; the worker then does not answer.
    """

    def __init__(self, app: Any, name: str, errors: tuple[type[Exception], ...]) -> None:
        self._control, self._name, self._errors = app.control, name, errors
        self._inspect = app.control.inspect(destination=[name], timeout=REPLY)

    def queues(self) -> list[str] | None:
        """Return the queues that it takes tasks from; None when it does not answer."""
        answer = self._asked(self._inspect.active_queues)
        return None if answer is None else [queue["name"] for queue in answer]

    def tasks(self) -> list[str] | None:
        """Return the names of the tasks that it runs or has taken; None when it does not answer."""
        active, reserved = self._asked(self._inspect.active), self._asked(self._inspect.reserved)
        if active is None or reserved is None:
            return None
        running = [task for task in active if not has_ended(task, time.time())]
        return sorted(map(task_name, [*running, *reserved]))

    def cancel(self, queues: list[str]) -> None:
        """Let it take nothing more from queues."""
        self._told(self._control.cancel_consumer, queues)

    def resume(self, queues: list[str]) -> bool:
        """Let it take tasks from queues; return whether it says that it takes them from all."""
        self._told(self._control.add_consumer, queues)
        return set(queues) <= set(self.queues() or [])

    def _asked(self, question: Callable[[], dict[str, Any] | None]) -> list[Any] | None:
        try:
            answer: list[Any] | None = (question() or {}).get(self._name)
        except self._errors:
            return None
        return answer

    def _told(self, order: Callable[..., object], queues: list[str]) -> None:
        with suppress(*self._errors):
            for queue in queues:
                order(queue, destination=[self._name], reply=True, timeout=REPLY)


def has_ended(task: dict[str, Any], now: float, processes: Path = Path("/proc")) -> bool:
    """Say whether a task is over although Celery lists it as active, as it does for ever when the broker was away then.

    While a task runs, the pool's process has a child, in which Airflow runs it; at its very start not yet.
    """
    pid = task.get("worker_pid")
    try:
        children = (processes / f"{pid}/task/{pid}/children").read_text()
    except OSError:
        return False
    return not children.strip() and now - float(task.get("time_start") or now) > STARTS


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
    """Drain a worker as far as one call goes.

    A worker that does not answer before its drain has begun is left alone. Later its silence says nothing of its
    tasks, so it counts as busy.
    """
    start = clock.monotonic()
    if not request["begun"]:
        queues = worker.queues()
        if queues is None:
            return {"answers": False, "taking": False, "busy": [], "lines": [], "again": None}
        if request["check"]:
            return {
                "answers": True,
                "taking": True,
                "busy": [],
                "tasks": named(worker.tasks()),
                "lines": [],
                "again": None,
            }
        worker.cancel(queues)
    while True:
        tasks = named(worker.tasks())
        if not tasks or clock.monotonic() - start + POLL > min(request["left"], SLICE):
            break
        clock.sleep(POLL)
    goes_on = bool(tasks) and request["left"] > SLICE
    busy = [] if goes_on else tasks
    return {
        "answers": True,
        "taking": bool(busy) and not request["force"] and worker.resume(request["queues"]),
        "busy": busy,
        "lines": [f"waits for {', '.join(tasks)}"] if tasks and tasks != request.get("seen") else [],
        "again": {"begun": True, "seen": tasks} if goes_on else None,
    }


def named(tasks: list[str] | None) -> list[str]:
    """Return the tasks of a worker; of one that does not answer, that they are not known."""
    return [UNKNOWN] if tasks is None else tasks
