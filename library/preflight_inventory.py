"""Documentation of an action; the work is in action_plugins/preflight_inventory.py."""

DOCUMENTATION = r"""
module: preflight_inventory
short_description: Refuse an inventory that contradicts itself
description:
  - Looks at the variables and groups of all hosts, whatever the run is limited to, and fails with every finding in one
    message. Each finding says what is wrong, the value seen and where to fix it, and none shows a secret.
  - Runs on the controller and opens no connection, so run it once, in a play without facts.
  - The known variables, their types and their defaults come from the roles' argument specs and defaults; the supported
    versions of Airflow from the lock files of role airflow_install.
author: Airflow operations
options:
  roles:
    description: The folder of the roles.
    type: path
    required: true
  environments:
    description: The number of environments that the play works on.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Refuse an inventory that contradicts itself
  preflight_inventory:
    roles: "{{ role_path | dirname }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: All findings, a line each.
  returned: when there are any; the task has failed then
  type: str
failure:
  description: Always C(refused), as programs read it.
  returned: when there are findings
  type: str
"""
