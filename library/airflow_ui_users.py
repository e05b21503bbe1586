#!/usr/bin/python
"""Ansible module: make the accounts of Airflow's web UI match a list."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_ui_users
short_description: Make the accounts of Airflow's web UI match a list
description:
  - Creates and updates accounts through the models of the installed Airflow, in one transaction and with one start of
    its Python. Accounts that the list does not name are left alone.
  - C(airflow users create) never changes the password of an account that exists. This module does, and only when the
    stored hash does not fit the wanted password.
  - On a fresh database the roles are created first, as C(airflow sync-perm) does.
options:
  users:
    description: The accounts.
    type: list
    elements: dict
    required: true
    suboptions:
      username:
        description: Name to log in with.
        type: str
        required: true
      role:
        description: The one role of the account.
        type: str
        required: true
        choices: [Admin, Op, User, Viewer]
      email:
        description: Address; no other account may have it.
        type: str
        required: true
      first_name:
        description: First name.
        type: str
        required: true
      last_name:
        description: Last name.
        type: str
        required: true
  passwords:
    description: Password of each account by its name. It must have all that I(users) names.
    type: dict
    required: true
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Make the accounts match the inventory
  airflow_ui_users:
    users:
      - {username: kim, role: Op, email: kim@example.com, first_name: Minji, last_name: Kim}
    passwords: "{{ airflow_ui_passwords }}"
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
"""

RETURN = r"""
users:
  description: Names of the accounts that were created or changed.
  type: list
  elements: str
  returned: success
  sample: [kim]
"""

from typing import Any

from ansible.module_utils.airflow_inside import ui_users as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, NotInstalledError, run_inside
from ansible.module_utils.basic import AnsibleModule

USER: dict[str, Any] = {
    "username": {"type": "str", "required": True},
    "role": {"type": "str", "required": True, "choices": ["Admin", "Op", "User", "Viewer"]},
    "email": {"type": "str", "required": True},
    "first_name": {"type": "str", "required": True},
    "last_name": {"type": "str", "required": True},
}
SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "users": {"type": "list", "elements": "dict", "required": True, "options": USER},
    "passwords": {"type": "dict", "required": True, "no_log": True},
}


def without_password(users: list[dict[str, Any]], passwords: dict[str, str]) -> list[str]:
    """Return the names of the accounts that have no password."""
    return [user["username"] for user in users if not passwords.get(user["username"])]


def main() -> None:
    """Ask Airflow for the difference and let it write it."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    users, passwords = module.params["users"], module.params["passwords"]
    lacking = without_password(users, passwords)
    if lacking:
        module.fail_json(msg=f"airflow_ui_passwords has no password for {', '.join(lacking)}; put it into vault.yml.")
    try:
        request = {"users": users, "passwords": passwords, "check": module.check_mode}
        changes = run_inside(module.params, program, request)["changes"]
    except NotInstalledError as error:
        if not module.check_mode:
            module.fail_json(msg=f"No account was changed. {error}")
        module.exit_json(changed=True, users=[], warnings=[f"The accounts are not compared in this preview. {error}"])
    except InsideError as error:
        module.fail_json(msg=f"No account was changed. {error}")
    module.exit_json(
        changed=bool(changes),
        users=[change["username"] for change in changes],
        diff={side: {change["username"]: change[side] for change in changes} for side in ("before", "after")},
    )


if __name__ == "__main__":
    main()
