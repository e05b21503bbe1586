"""Clear task instances, so that they run again, with what depends on them; or only list them."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from datetime import datetime, time
from typing import Any

Instance = dict[str, Any]


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"instances", "digest"}``, those the request names; clear them in one transaction, unless ``check``.

    With ``expected``, the digest of an earlier answer, it must be the same instances in the same states.

    The selection is that of the web UI: a run is a window of one logical date, which no two runs of a DAG share.
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - only the virtual environment has it

    try:
        return _clear(request)
    except DBAPIError as error:
        return {"error": f"The metadata database refused: {error.orig}."}


def _clear(request: dict[str, Any]) -> dict[str, Any]:
    from airflow.exceptions import AirflowException  # noqa: PLC0415 - only the virtual environment has Airflow
    from airflow.models import DagBag, DagModel  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        bag = DagBag(read_dags_from_db=True)
        dag = bag.get_dag(request["dag_id"], session=session)
        if dag is None:
            return {"error": unknown("DAG", request["dag_id"], [name for (name,) in session.query(DagModel.dag_id)])}
        tasks = matching(request["pattern"], dag.task_ids)
        if not tasks:
            return {"error": unknown(f"Task of DAG {dag.dag_id} like", request["pattern"], list(dag.task_ids))}
        start, end, problem = _window(session, request)
        if problem:
            return {"error": problem}
        part = dag.partial_subset(tasks, include_downstream=request["downstream"], include_upstream=False)
        chosen = {
            "start_date": start,
            "end_date": end,
            "only_failed": request["only_failed"],
            "include_subdags": request[
                "recursive"
            ],  # Airflow's word also for the tasks that an ExternalTaskMarker names
            "include_parentdag": request["recursive"],
            "dag_bag": bag,
            "session": session,
        }
        try:
            instances = described(part.clear(dry_run=True, **chosen))
        except AirflowException as error:  # markers that lead in a circle, for example
            return {"error": f"Airflow refuses: {' '.join(str(error).split()).rstrip('.')}."}
        if problem := refusal(instances, request["limit"], request["expected"]):
            return {"error": problem}
        if instances and not request["check"]:
            part.clear(dry_run=False, **chosen)
        paused = session.query(DagModel.is_paused).filter_by(dag_id=dag.dag_id).scalar()
    return {"instances": instances, "digest": digest(instances), "paused": bool(paused)}


def matching(pattern: str, task_ids: list[str]) -> list[str]:
    """Return the tasks whose whole id the pattern matches."""
    return [task for task in task_ids if re.fullmatch(pattern, task)]


def unknown(what: str, name: str, known: list[str]) -> str:
    """Say that there is no such thing, and what was perhaps meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"{what} {name} does not exist{f', did you mean {near[0]}?' if near else '.'}"


def bound(text: str, is_end: bool) -> datetime:
    """Return one end of the window; a date alone means the whole day. Without a zone it is in Airflow's own."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if is_end and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
        return datetime.combine(moment.date(), time.max)
    return moment


def described(instances: Any) -> list[Instance]:
    """Return task instances as plain data, in the order of their runs."""
    found = [
        {
            "dag": each.dag_id,
            "run": each.run_id,
            "task": each.task_id if each.map_index < 0 else f"{each.task_id}[{each.map_index}]",
            "state": str(each.state or "none"),
        }
        for each in instances
    ]
    return sorted(found, key=lambda each: (each["dag"], each["run"], each["task"]))


def digest(instances: list[Instance]) -> str:
    """Return what only the same task instances in the same states have."""
    return hashlib.sha256(json.dumps(instances, sort_keys=True).encode()).hexdigest()[:12]


def refusal(instances: list[Instance], limit: int, expected: str) -> str:
    """Refuse a selection that is larger than the limit, or not the one that was shown; empty when it is neither."""
    runs = {(each["dag"], each["run"]) for each in instances}
    if len(instances) > limit:
        return (
            f"{len(instances)} task instances of {len(runs)} runs are more than clear_tasks_limit ({limit}); "
            "name fewer, or raise it."
        )
    if expected and expected != digest(instances):
        return (
            f"The task instances are not those that were shown (clear_tasks_expected is {expected}): by now they are "
            f"{len(instances)} or in other states; list them again."
        )
    return ""


def _window(session: Any, request: dict[str, Any]) -> tuple[Any, Any, str]:
    from airflow.models import DagRun  # noqa: PLC0415
    from airflow.utils.timezone import make_aware  # noqa: PLC0415

    if request["run_id"]:
        runs = dict(session.query(DagRun.run_id, DagRun.execution_date).filter_by(dag_id=request["dag_id"]).all())
        date = runs.get(request["run_id"])
        return date, date, "" if date else unknown(f"Run of DAG {request['dag_id']}", request["run_id"], list(runs))
    ends = [
        bound(text, is_end) if text else None for text, is_end in ((request["start"], False), (request["end"], True))
    ]
    start, end = (make_aware(each) if each and each.tzinfo is None else each for each in ends)
    return start, end, ""
