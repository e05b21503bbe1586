#!/usr/bin/python
"""Ansible module: make Airflow's pools match a list."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_pools
short_description: Make Airflow's pools match a list
description:
  - Creates and updates pools through the models of the installed Airflow, in one transaction and with one start of its
    Python. Pools that the list does not name are left alone.
options:
  pools:
    description: The pools.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name; C(default_pool) is the one that tasks use when they name none.
        type: str
        required: true
      slots:
        description: How many task instances may run in it at once; -1 means unlimited.
        type: int
        required: true
      description:
        description: A line for people.
        type: str
        default: ""
      include_deferred:
        description: Whether deferred task instances take a slot, too.
        type: bool
        default: false
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Make the pools match the inventory
  airflow_pools:
    pools:
      - {name: sftp, slots: 2, description: Receiving interfaces}
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
"""

RETURN = r"""
pools:
  description: Names of the pools that were created or changed.
  type: list
  elements: str
  returned: success
  sample: [sftp]
"""

from typing import Any

from ansible.module_utils.airflow_inside import pools as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, NotInstalledError, run_inside
from ansible.module_utils.basic import AnsibleModule

POOL: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "slots": {"type": "int", "required": True},
    "description": {"type": "str", "default": ""},
    "include_deferred": {"type": "bool", "default": False},
}
SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "pools": {"type": "list", "elements": "dict", "required": True, "options": POOL},
}


def main() -> None:
    """Ask Airflow for the difference and let it write it."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    request = {"pools": module.params["pools"], "check": module.check_mode}
    try:
        changes = run_inside(module.params, program, request)["changes"]
    except NotInstalledError as error:
        if not module.check_mode:
            module.fail_json(msg=f"No pool was changed. {error}")
        module.exit_json(changed=True, pools=[], warnings=[f"The pools are not compared in this preview. {error}"])
    except InsideError as error:
        module.fail_json(msg=f"No pool was changed. {error}")
    module.exit_json(
        changed=bool(changes),
        pools=[change["name"] for change in changes],
        diff={side: {change["name"]: change[side] for change in changes} for side in ("before", "after")},
    )


if __name__ == "__main__":
    main()
