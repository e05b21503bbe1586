#!/usr/bin/python
"""Ansible module: clear task instances, so that they run again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_clear_tasks
short_description: Clear task instances, so that they run again
description:
  - Clears task instances of one run, or of a window of logical dates, as the web UI does, in one transaction and with
    one start of Airflow. The runs go back to the state queued. C(airflow tasks clear) knows neither a run nor the
    recursive way.
  - Refuses more instances than I(limit), and others than I(expected).
  - In check mode it only lists them.
options:
  dag_id:
    description: The DAG.
    type: str
    required: true
  pattern:
    description: A regular expression that matches the whole id of each task that is meant.
    type: str
    default: ".*"
  run_id:
    description: The run; excludes I(start) and I(end).
    type: str
    default: ""
  start:
    description: The first logical date, ISO 8601; without a zone it is in Airflow's own.
    type: str
    default: ""
  end:
    description: The last logical date; a date without a time means the whole day.
    type: str
    default: ""
  downstream:
    description: Whether the tasks downstream of them are cleared, too.
    type: bool
    default: true
  recursive:
    description: Whether the tasks of other DAGs are cleared, too, that an ExternalTaskMarker among them names.
    type: bool
    default: true
  only_failed:
    description: Whether only instances in the states failed and upstream_failed are cleared.
    type: bool
    default: false
  limit:
    description: The largest number of instances that is not refused.
    type: int
    default: 100
  expected:
    description: >-
      The I(digest) of an earlier answer; other instances, or other states, are refused. Empty takes what there is.
    type: str
    default: ""
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Run the load of one run again, and all that follows
  airflow_clear_tasks:
    dag_id: MAIN_DAG
    run_id: manual__2026-03-14T09:26:00+00:00
    pattern: load
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
"""

RETURN = r"""
instances:
  description: The task instances with C(dag), C(run), C(task) and C(state), the one before.
  type: list
  elements: dict
  returned: success
digest:
  description: Digest of the task instances and their states, for I(expected).
  type: str
  returned: success
paused:
  description: Whether the DAG is paused, so that nothing runs until it is switched on.
  type: bool
  returned: success
"""

from typing import Any

from ansible.module_utils.airflow_inside import clear_tasks as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, run_inside
from ansible.module_utils.basic import AnsibleModule

SPEC: dict[str, Any] = {
    "dag_id": {"type": "str", "required": True},
    "pattern": {"type": "str", "default": ".*"},
    "run_id": {"type": "str", "default": ""},
    "start": {"type": "str", "default": ""},
    "end": {"type": "str", "default": ""},
    "downstream": {"type": "bool", "default": True},
    "recursive": {"type": "bool", "default": True},
    "only_failed": {"type": "bool", "default": False},
    "limit": {"type": "int", "default": 100},
    "expected": {"type": "str", "default": ""},
}


def main() -> None:
    """Let Airflow find and clear them."""
    module = AnsibleModule({**ARGUMENTS, **SPEC}, supports_check_mode=True)
    request = {**{name: module.params[name] for name in SPEC}, "check": module.check_mode}
    try:
        answer = run_inside(module.params, program, request)
    except InsideError as error:
        module.fail_json(msg=f"Nothing was cleared. {error}")
    module.exit_json(changed=bool(answer["instances"]), **answer)


if __name__ == "__main__":
    main()
