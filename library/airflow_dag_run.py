#!/usr/bin/python
"""Ansible module: trigger a run of a DAG, and follow it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_dag_run
short_description: Trigger a run of a DAG, and follow it to its end
description:
  - Makes a run through the models of the installed Airflow. The DAG must exist, and must not be paused unless forced.
  - With I(left) it follows the run. The action of the same name calls the module as often as needed and shows each task
    as its state changes; each call starts Airflow once, the first follows for ten seconds already.
options:
  dag_id:
    description: The DAG.
    type: str
    required: true
  conf:
    description: The configuration of the run, a mapping or the text of a JSON object.
    type: raw
    default: {}
  force:
    description: >-
      Whether a DAG that is paused or has import errors is triggered too; its run waits until it is switched on.
    type: bool
    default: false
  left:
    description: How long to follow the run, in seconds; 0 does not wait.
    type: float
    default: 0
  run_id:
    description: A run to follow instead of making one; the action gives it.
    type: str
  seen:
    description: States of tasks that were shown already; the action gives them.
    type: dict
    default: {}
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full, description: Looks whether the DAG could be triggered.}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Run a DAG for one date and wait
  airflow_dag_run:
    dag_id: MAIN_DAG
    conf: {P_YYYYMMDD: "20260314"}
    left: 3600
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
"""

RETURN = r"""
run_id:
  description: Id of the run; null in check mode.
  type: str
  returned: success, and when a run was made that cannot be followed
state:
  description: State of the run when the module looked last; null in check mode.
  type: str
  returned: success
tasks:
  description: State of each task by its name.
  type: dict
  returned: when a run was made
failures:
  description: The failed tasks of a failed run with C(task), C(host) and C(log), the last lines.
  type: list
  elements: dict
  returned: when a run was made
again:
  description: Arguments of the next call while the run goes on and time is left, else null.
  type: dict
  returned: success
"""

from typing import Any

from ansible.module_utils.airflow_inside import dag_run as program
from ansible.module_utils.airflow_python import ARGUMENTS, CrashError, InsideError, run_inside
from ansible.module_utils.basic import AnsibleModule

SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "dag_id": {"type": "str", "required": True},
    "conf": {"type": "raw", "default": {}, "no_log": True},
    "force": {"type": "bool", "default": False},
    "left": {"type": "float", "default": 0},
    "run_id": {"type": "str"},
    "seen": {"type": "dict", "default": {}},
}
PASSED = ("dag_id", "conf", "force", "left", "run_id", "seen")


def main() -> None:
    """Let Airflow make or follow the run."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    request = {**{name: module.params[name] for name in PASSED}, "check": module.check_mode}
    # It stays out of the host's log and the answer. Hidden by its values, {"n": 1} would take each 1 from a run's id.
    del module.params["conf"]
    module.no_log_values.clear()
    try:
        answer = run_inside(module.params, program, request)
    except InsideError as error:
        run_id, known = module.params["run_id"], not isinstance(error, CrashError)
        module.fail_json(msg=f"{fate(module.params['dag_id'], run_id, known)} {error}", run_id=run_id)
    if "lost" in answer:
        verb = "goes on" if module.params["run_id"] else "was made and goes on"
        module.fail_json(msg=f"Run {answer['run_id']} {verb}. {answer['lost']}", run_id=answer["run_id"])
    module.exit_json(changed=not module.params["run_id"], **answer)


def fate(dag_id: str, run_id: str | None, known: bool) -> str:
    """Say what became of a run when the program failed; ``known`` when it failed with an answer."""
    if run_id:
        return f"Run {run_id} goes on."
    if known:
        return "No run was made."
    return f"Look with airflow dags list-runs -d {dag_id} whether a run was made, before you repeat this."


if __name__ == "__main__":
    main()
