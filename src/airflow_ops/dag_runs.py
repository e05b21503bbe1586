"""Runs of DAGs as people ask for them and read about them: the conf of a run, and what became of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

# On the command line inside an object: Ansible takes the quotes out of name=value.
EXAMPLE = """-e '{"trigger_dag_conf": {"P_YYYYMMDD": "20260314"}}'"""


def conf_of(value: object) -> dict[str, Any]:
    """Return the conf of a run, given as a mapping or as the text of a JSON object; nothing is an empty one.

    :raises ValueError: with one sentence, when it is something else.
    """
    if value is None or value == "":
        return {}
    read = _json(value) if isinstance(value, str) else value
    if not isinstance(read, Mapping):
        raise ValueError(f"trigger_dag_conf is a {type(read).__name__} and must be a JSON object, as in {EXAMPLE}.")
    return dict(read)


def _json(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:  # without the text, which may hold a secret
        raise ValueError(f"trigger_dag_conf is no JSON ({error}); write an object, as in {EXAMPLE}.") from error


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def outcome(dag_id: str, result: Mapping[str, Any], waited: bool) -> tuple[bool, str]:
    """Return whether a run is as it was asked for, and what to tell.

    :param result: of the module airflow_dag_run.
    :param waited: whether the run was to end.
    """
    run, state = result["run_id"], result["state"]
    if run is None:
        return True, f"DAG {dag_id} would be triggered.{_paused(result)}"
    if state == "success":
        return True, f"Run {run} of DAG {dag_id} ended as success ({_counts(result)})."
    if state == "failed":
        failed = ", ".join(f"{each['task']} on {each['host'] or 'no host'}" for each in result["failures"])
        return False, f"Run {run} of DAG {dag_id} failed ({_counts(result)}): {failed or 'no task'}."
    if not waited:
        return True, f"Run {run} of DAG {dag_id} was made.{_paused(result)}"
    if state == "deleted":
        return False, f"Run {run} of DAG {dag_id} was deleted meanwhile."
    why = f" It waits: {'; '.join(result['waiting'])}." if result.get("waiting") else ""
    return False, f"Run {run} of DAG {dag_id} has not ended in time and goes on ({_counts(result)}).{why}"


def waits(result: Mapping[str, Any]) -> bool:
    """Say whether a run that was followed is one of which somebody may ask why it does not go on.

    :param result: of the module airflow_dag_run.
    """
    states = {str(result.get("state")), *result.get("tasks", {}).values()}
    followed = bool(result.get("run_id")) and "failures" in result
    return followed and str(result["state"]) in ("queued", "running") and bool(states & {"queued", "scheduled"})


def _paused(result: Mapping[str, Any]) -> str:
    return " The DAG is paused: the run waits until it is switched on." if result.get("paused") else ""


def _counts(result: Mapping[str, Any]) -> str:
    states = Counter(result["tasks"].values())
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "no tasks"
