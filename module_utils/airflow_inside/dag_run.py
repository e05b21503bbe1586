"""Trigger a run of a DAG and follow it to its end; a failed one comes with the ends of its failed tasks' logs."""

from __future__ import annotations

import difflib
import re
import time
from typing import Any

Answer = dict[str, Any]
Instance = dict[str, Any]
# How long one call follows, in seconds, so that whoever waits sees something; the next costs another start of Airflow.
FIRST_SLICE = 10
SLICE = 30
POLL = 1  # seconds; a query of one run, by its key
ENDED = ("success", "failed")
# Of a waiting task nothing is said until it runs.
WAITING = ("none", "scheduled", "queued")
TAILS = 5  # failed tasks whose logs are shown
TAIL = 20  # lines of each
FOLD = re.compile(r"::(end)?group::")


def main(request: Answer) -> Answer:
    """Do one part of a request.

    Without ``run_id`` a run of ``dag_id`` with ``conf`` is made, unless ``check``. It is then followed for up to
    ``left`` seconds, at most a slice in one call. The answer holds ``again``, the request of the next call, while the
    run goes on and time is left; ``seen`` holds the states that were told already. ``lost`` says why a run that was
    made can't be followed.
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - only the virtual environment has it

    run_id, paused, part = request.get("run_id"), None, SLICE
    try:
        if not run_id:
            model, problem = _find(request["dag_id"], request["force"])
            if problem:
                return {"error": problem}
            paused = model["is_paused"]
            if request["check"]:
                return {"run_id": None, "paused": paused, "state": None, "lines": [], "again": None}
            part = FIRST_SLICE
            run_id, problem = _trigger(request["dag_id"], request["conf"])
            if problem:
                return {"error": problem}
    except DBAPIError as error:
        return {"error": f"The metadata database refused: {error.orig}."}
    try:
        followed = _follow(request["dag_id"], run_id, request.get("seen") or {}, request["left"], part)
    except Exception as error:  # whatever it is, the run exists; a message may quote a password
        return {"run_id": run_id, "lost": f"It cannot be followed ({type(error).__name__})."}
    return {"paused": paused, **followed}


def dag_problem(dag_id: str, models: dict[str, dict[str, Any]], force: bool) -> str:
    """Say why a DAG can't be triggered; empty when it can. ``models`` are the DAGs that Airflow knows."""
    model = models.get(dag_id)
    if model is None:
        near = difflib.get_close_matches(dag_id, [name for name in models if models[name]["is_active"]], n=1)
        hint = f", did you mean {near[0]}?" if near else "; see airflow dags list."
        return f"DAG {dag_id} does not exist{hint}"
    if not model["is_active"]:
        return f"DAG {dag_id} is no longer in the dags folder; deliver it with deploy_dags.yml."
    if model["has_import_errors"] and not force:
        return f"DAG {dag_id} has import errors (airflow dags list-import-errors); correct it or set trigger_dag_force."
    if model["is_paused"] and not force:
        return (
            f"DAG {dag_id} is paused, so a run would wait; switch it on with airflow dags unpause {dag_id}, or set "
            "trigger_dag_force to have a run that waits."
        )
    return ""


def name_of(instance: Instance) -> str:
    """Return the name of a task instance, with its index when the task is mapped."""
    return instance["task"] if instance["index"] < 0 else f"{instance['task']}[{instance['index']}]"


def news(seen: dict[str, str], instances: list[Instance]) -> list[str]:
    """Return a line for each task that is in another state than when it was seen last, those aside that wait."""
    lines = []
    for instance in instances:
        name, state = name_of(instance), instance["state"]
        if state not in WAITING and seen.get(name) != state:
            lines.append(f"{name}: {state}{_where(instance)}")
    return lines


def _where(instance: Instance) -> str:
    return f" on {instance['host']}" if instance["state"] == "running" and instance["host"] else ""


def tail(log: str, lines: int = TAIL) -> list[str]:
    """Return the last lines of a log: without what only folds it in the web UI, and without Airflow's own part of a
    traceback, which is longer than all that tells somebody something."""
    kept, foreign = [], False
    for line in map(str.rstrip, log.splitlines()):
        if line.startswith('  File "'):
            foreign = "/site-packages/" in line
        elif not line.startswith("    "):
            foreign = False
        if line and not foreign and not FOLD.search(line):
            kept.append(line)
    return kept[-lines:]


def _find(dag_id: str, force: bool) -> tuple[dict[str, Any], str]:
    from airflow.models import DagModel  # noqa: PLC0415 - only the virtual environment has Airflow
    from airflow.utils.session import create_session  # noqa: PLC0415

    fields = ("is_active", "is_paused", "has_import_errors")
    with create_session() as session:
        rows = session.query(DagModel.dag_id, *(getattr(DagModel, field) for field in fields)).all()
    models = {row[0]: dict(zip(fields, row[1:])) for row in rows}  # noqa: B905 - the lengths are those of the query
    return models.get(dag_id, {}), dag_problem(dag_id, models, force)


def _trigger(dag_id: str, conf: dict[str, Any]) -> tuple[str, str]:
    from airflow.api.common.trigger_dag import trigger_dag  # noqa: PLC0415
    from airflow.exceptions import AirflowException  # noqa: PLC0415

    try:
        run = trigger_dag(dag_id, conf=conf, replace_microseconds=False)
    except (AirflowException, ValueError) as error:  # the DAG's own params do not take the conf, for example
        return "", f"Airflow refuses to trigger {dag_id}: {' '.join(str(error).split()).rstrip('.')}."
    return run.run_id, ""


def _follow(dag_id: str, run_id: str, seen: dict[str, str], left: float, part: float) -> Answer:
    start, lines = time.monotonic(), []
    while True:
        state, instances = _look(dag_id, run_id)
        lines += news(seen, instances)
        seen = {name_of(instance): instance["state"] for instance in instances}
        waited = time.monotonic() - start
        if state in ENDED or waited + POLL > min(left, part):
            break
        time.sleep(POLL)
    goes_on = state not in ENDED and left > part
    return {
        "run_id": run_id,
        "state": state,
        "tasks": seen,
        "lines": lines,
        "failures": _failures(dag_id, run_id) if state == "failed" else [],
        "again": {"run_id": run_id, "seen": seen} if goes_on else None,
    }


def _look(dag_id: str, run_id: str) -> tuple[str, list[Instance]]:
    from airflow.models import DagRun, TaskInstance  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    columns = (TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state, TaskInstance.hostname)
    with create_session() as session:  # a new one each time: the database repeats what a session read before
        state = session.query(DagRun.state).filter_by(dag_id=dag_id, run_id=run_id).scalar()
        rows = session.query(*columns).filter_by(dag_id=dag_id, run_id=run_id).order_by(TaskInstance.start_date).all()
    tasks = [{"task": task, "index": index, "state": str(of or "none"), "host": host} for task, index, of, host in rows]
    return str(state or "deleted"), tasks


def _failures(dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """Return the failed tasks with the ends of their logs, which the worker's own log server gives."""
    from airflow.models import TaskInstance, Trigger  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy.orm import joinedload  # noqa: PLC0415

    with create_session() as session:
        query = session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id, state="failed")
        # Airflow's log reader takes them out of the session and then asks for their trigger.
        triggers = joinedload(TaskInstance.trigger).joinedload(Trigger.triggerer_job)
        rows = query.options(triggers).order_by(TaskInstance.end_date).all()
        return [
            {
                "task": name_of({"task": row.task_id, "index": row.map_index}),
                "host": row.hostname,
                "log": _log(row) if number < TAILS else [],
            }
            for number, row in enumerate(rows)
        ]


def _log(instance: Any) -> list[str]:
    from airflow.utils.log.log_reader import TaskLogReader  # noqa: PLC0415

    reader = TaskLogReader()
    if not reader.supports_read:
        return []
    logs, _ = reader.read_log_chunks(instance, instance.try_number, {})
    return tail("\n".join(text for _, text in logs[0]))
