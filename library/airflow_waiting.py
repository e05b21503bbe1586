#!/usr/bin/python
"""Ansible module: say why tasks wait."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_waiting
short_description: Say why tasks wait
description:
  - Asks Celery which queues its workers listen to, and the metadata database for tasks that wait.
  - Changes nothing.
options:
  dag_id:
    description: The DAG of I(run_id).
    type: str
  run_id:
    description: Say it of the tasks of this run; without it of all, and look also at the queues that DAGs name.
    type: str
  workers:
    description: The queues that each worker should listen to; a worker that is down is another matter.
    type: dict
    default: {}
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full, description: Nothing is ever changed.}
author: Airflow operations
"""

EXAMPLES = r"""
- name: See whether tasks wait for a worker that nobody has
  airflow_waiting:
    workers: {dn01p: [default, dn01p]}
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
"""

RETURN = r"""
reasons:
  description: Why tasks wait, a sentence each.
  type: list
  elements: str
  returned: always
unheard:
  description: Tasks of DAGs, as DAG.TASK, by queue to which no worker listens.
  type: dict
  returned: always
problem:
  description: Why nothing could be seen.
  type: str
  returned: when Airflow or its database did not answer
"""

from typing import Any

from ansible.module_utils.airflow_inside import waiting as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, run_inside
from ansible.module_utils.basic import AnsibleModule

SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "dag_id": {"type": "str"},
    "run_id": {"type": "str"},
    "workers": {"type": "dict", "default": {}},
}


def main() -> None:
    """Ask Airflow."""
    module = AnsibleModule(SPEC, supports_check_mode=True, required_by={"run_id": "dag_id"})
    request = {name: module.params[name] for name in ("dag_id", "run_id", "workers")}
    try:
        answer = run_inside(module.params, program, request)
    except InsideError as error:
        answer = {"reasons": [], "unheard": {}, "problem": str(error)}
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
