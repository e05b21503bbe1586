"""Why tasks wait: queues that no worker listens to, workers and pools that are full, a scheduler that is away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Answer = dict[str, Any]
Queues = dict[str, list[str]]  # by worker
BROADCAST = 2  # seconds for all workers to answer; nobody knows how many there are
REPLY = 5  # seconds that one gets that answered before
SHOWN = 10  # tasks in one sentence
INSTANCES = 1000


def main(request: Answer) -> Answer:
    """Return ``reasons``, why the tasks of the run ``run_id`` of ``dag_id`` wait, or without a run those of all.

    ``unheard`` are tasks of DAGs by queue to which neither a worker listens now nor one of ``workers`` should.
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - only the virtual environment has it

    workers = _workers()
    try:
        waiting = _waiting(request.get("dag_id"), request.get("run_id"))
        run = _run(request["dag_id"], request["run_id"]) if request.get("run_id") else {}
        reasons = [*run_reasons(run), *task_reasons(waiting, workers, _pools())]
        deaf = {} if request.get("run_id") else _tasks_by_queue()
    except DBAPIError as error:
        return {"error": f"The metadata database refused: {error.orig}."}
    heard = {queue for worker in (workers or {}).values() for queue in worker["queues"]}
    known = heard | {queue for own in request.get("workers", {}).values() for queue in own}
    return {
        "reasons": reasons,
        "unheard": {queue: tasks for queue, tasks in sorted(deaf.items()) if queue not in known},
    }


def some(names: Iterable[str]) -> str:
    """Return names as a part of a sentence, not too many."""
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return f"{', '.join(listed[:SHOWN])}{more}"


def run_reasons(run: Answer) -> list[str]:
    """Return why a run itself waits, or why nothing of it is started."""
    reasons = []
    if run.get("paused"):
        reasons.append("the DAG is paused")
    if run.get("state") == "queued" and run["active"] >= run["most"]:
        reasons.append(
            f"the run is queued: {run['active']} runs are active, of at most {run['most']} (max_active_runs)"
        )
    if run and not run["scheduler"]:
        reasons.append("no scheduler has a heartbeat")
    return reasons


def task_reasons(waiting: list[Answer], workers: dict[str, Answer] | None, pools: dict[str, Answer]) -> list[str]:
    """Return why tasks wait, a sentence for each queue and for each pool.

    :param waiting: with `name`, `state`, `queue` and `pool`.
    :param workers: by name with `queues`, the tasks that each has (`busy`) and takes at most (`most`); None when the
        broker does not answer.
    """
    queued = _grouped(each for each in waiting if each["state"] == "queued")
    full = {
        pool: [each["name"] for each in waiting if each["state"] == "scheduled" and each["pool"] == pool]
        for pool, stats in pools.items()
        if stats["open"] <= 0
    }
    if queued and workers is None:
        return [f"{some(name for names in queued.values() for name in names)} queued: the broker does not answer"]
    reasons = [_queue_reason(queue, names, workers or {}) for queue, names in sorted(queued.items())]
    reasons += [
        f"{some(names)} scheduled: all {pools[pool]['total']} slots of pool {pool} are taken"
        for pool, names in sorted(full.items())
        if names
    ]
    return [reason for reason in reasons if reason]


def _grouped(instances: Iterator[Answer]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in instances:
        found.setdefault(each["queue"], []).append(each["name"])
    return found


def _queue_reason(queue: str, names: list[str], workers: dict[str, Answer]) -> str:
    listening = {name: worker for name, worker in sorted(workers.items()) if queue in worker["queues"]}
    if not listening:
        heard = "; ".join(f"{name} to {', '.join(worker['queues'])}" for name, worker in sorted(workers.items()))
        others = f"those that answer: {heard}" if heard else "no worker answers"
        return f"{some(names)} queued: no worker listens to queue {queue} ({others})"
    if all(worker["busy"] >= worker["most"] for worker in listening.values()):
        busy = ", ".join(f"{name} has {worker['busy']} of {worker['most']}" for name, worker in listening.items())
        return f"{some(names)} queued: the workers of queue {queue} are full ({busy} tasks)"
    return ""


def _workers() -> dict[str, Answer] | None:
    """Return what the workers say of themselves; None when the broker does not answer."""
    from airflow.providers.celery.executors.celery_executor import app  # noqa: PLC0415 - only there is Airflow
    from kombu.exceptions import OperationalError  # noqa: PLC0415

    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=REPLY)
        queues = app.control.inspect(timeout=BROADCAST).active_queues() or {}
        asked = app.control.inspect(destination=list(queues), timeout=REPLY, limit=len(queues))
        active, stats = (asked.active() or {}, asked.stats() or {}) if queues else ({}, {})
    except (OperationalError, OSError):
        return None
    return {
        name.partition("@")[2]: {
            "queues": sorted(queue["name"] for queue in own),
            "busy": len(active.get(name, [])),
            "most": stats.get(name, {}).get("pool", {}).get("max-concurrency", 1),
        }
        for name, own in queues.items()
    }


def _waiting(dag_id: str | None, run_id: str | None) -> list[Answer]:
    """Return the tasks that are scheduled or queued, of one run or of all."""
    from airflow.models import TaskInstance  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    fields = ("dag_id", "task_id", "map_index", "state", "queue", "pool")
    with create_session() as session:
        query = session.query(*(getattr(TaskInstance, field) for field in fields))
        query = query.filter(TaskInstance.state.in_(("scheduled", "queued")))
        if run_id:
            query = query.filter_by(dag_id=dag_id, run_id=run_id)
        rows = query.order_by(TaskInstance.queued_dttm).limit(INSTANCES).all()
    named = []
    for dag, task, index, state, queue, pool in rows:
        name = (task if run_id else f"{dag}.{task}") + (f"[{index}]" if index >= 0 else "")
        named.append({"name": name, "state": str(state), "queue": queue, "pool": pool})
    return named


def _pools() -> dict[str, Answer]:
    from airflow.models import Pool  # noqa: PLC0415

    return {name: {"open": stats["open"], "total": stats["total"]} for name, stats in Pool.slots_stats().items()}


def _run(dag_id: str, run_id: str) -> Answer:
    """Return what keeps a run from going on: its state, the other runs, whether a scheduler lives."""
    from airflow.jobs.job import most_recent_job  # noqa: PLC0415
    from airflow.models import DagModel, DagRun  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        state = session.query(DagRun.state).filter_by(dag_id=dag_id, run_id=run_id).scalar()
        active = session.query(DagRun).filter_by(dag_id=dag_id, state="running").count()
        model = session.query(DagModel.is_paused, DagModel.max_active_runs).filter_by(dag_id=dag_id).first()
        job = most_recent_job("SchedulerJob", session=session)
        alive = bool(job and job.is_alive())
    paused, most = model or (False, 1)
    return {"state": str(state), "active": active, "most": most, "paused": paused, "scheduler": alive}


def _tasks_by_queue() -> Queues:
    """Return the tasks of all DAGs by their queue, from what the scheduler knows of them."""
    from airflow.configuration import conf  # noqa: PLC0415
    from airflow.models import DagModel  # noqa: PLC0415
    from airflow.models.serialized_dag import SerializedDagModel  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    default = conf.get("operators", "default_queue")
    found: Queues = {}
    with create_session() as session:
        active = session.query(DagModel.dag_id).filter(DagModel.is_active)
        for row in session.query(SerializedDagModel).filter(SerializedDagModel.dag_id.in_(active)):
            for task in row.data["dag"]["tasks"]:
                queue, name = queue_of(task, default)
                found.setdefault(queue, []).append(f"{row.dag_id}.{name}")
    return found


def queue_of(task: Answer, default: str) -> tuple[str, str]:
    """Return queue and id of a task as Airflow stores it; one that is mapped keeps its arguments apart."""
    values = task.get("__var", task)
    partial = values.get("partial_kwargs", {})
    return str(values.get("queue") or partial.get("queue") or default), str(values["task_id"])
