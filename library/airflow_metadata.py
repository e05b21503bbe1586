#!/usr/bin/python
"""Ansible module: export or change connections, variables and pools of Airflow."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_metadata
short_description: Export or change connections, variables and pools of Airflow
description:
  - C(exported) returns all rows with their secrets in plain text and changes nothing. Whoever calls it keeps the result
    out of every output.
  - C(applied) keeps a backup, then writes exact changes through the models of the installed Airflow, in one transaction
    and with one start of its Python. It commits only when every row was still as the plan had seen it, and when what it
    reads back is what it should be; whatever happens before that, nothing is changed.
  - Two runs at once are refused; the message says who holds the lock.
options:
  state:
    description: What to do.
    type: str
    choices: [exported, applied]
    required: true
  kinds:
    description: What to export.
    type: list
    elements: str
    choices: [connections, variables, pools]
    default: [connections]
  types:
    description: Whether the export also names the connection types that the installed providers bring.
    type: bool
    default: false
  changes:
    description:
      - JSON text, a list of changes with I(kind), I(name), I(before) and I(after), which are whole rows or null.
    type: str
  backup:
    description: The text to keep before the changes, encrypted by the caller.
    type: str
  backup_folder:
    description: Where to keep it, as root.
    type: path
  backup_keep:
    description: Number of backups to keep.
    type: int
    default: 10
  lock:
    description: The lock file on the host, which the account of Airflow takes.
    type: path
  who:
    description: Who runs this, for others that find the lock taken.
    type: str
    default: somebody
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full}
  diff_mode: {support: none, details: the plan that led to the changes is what people look at}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Export the connections
  airflow_metadata:
    state: exported
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
  register: __connections
  no_log: true
"""

RETURN = r"""
export:
  description: Version, database, rows by kind and name, connection types.
  type: dict
  returned: when exported
backup:
  description: Path of the backup.
  type: str
  returned: when applied
missing:
  description: Whether there is no Airflow, or a database without its tables.
  type: bool
  returned: failure
unsure:
  description: Whether the process ended in a moment in which nobody knows if everything was written, or nothing.
  type: bool
  returned: failure
"""

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.airflow_inside import metadata as program
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, NotInstalledError, run_inside
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kept_files import prune_kept, write_kept

KINDS = ["connections", "variables", "pools"]
SUFFIX = ".json.vault"
SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "state": {"type": "str", "required": True, "choices": ["exported", "applied"]},
    "kinds": {"type": "list", "elements": "str", "choices": KINDS, "default": ["connections"]},
    "types": {"type": "bool", "default": False},
    "changes": {"type": "str", "no_log": True},
    "backup": {"type": "str", "no_log": True},
    "backup_folder": {"type": "path"},
    "backup_keep": {"type": "int", "default": 10, "no_log": False},
    "lock": {"type": "path"},
    "who": {"type": "str", "default": "somebody"},
}
REQUIRED = [("state", "applied", ["changes", "backup", "backup_folder", "lock"])]


class FailedError(Exception):
    """The program gave no rows, or wrote nothing; ``facts`` are for whoever asked."""

    def __init__(self, text: str, **facts: bool) -> None:
        super().__init__(text)
        self.facts = facts


def asked(params: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Return what the program answers.

    :raises FailedError: with ``missing`` where there is no Airflow or no tables, with ``unsure`` where nobody knows
        whether it was written.
    """
    try:
        answer: dict[str, Any] = run_inside(params, program, request)
    except NotInstalledError as error:
        raise FailedError(str(error), missing=True, unsure=False) from error
    except InsideError as error:
        raise FailedError(str(error), unsure=True) from error
    if "refused" in answer:
        raise FailedError(answer["refused"], unsure=False)
    if "lost" in answer:
        raise FailedError(answer["lost"], missing=answer["no_tables"], unsure=answer["unsure"])
    return answer


def export(params: dict[str, Any]) -> dict[str, Any]:
    """Return the rows."""
    return {"changed": False, "export": asked(params, {"kinds": params["kinds"], "types": params["types"]})}


def apply(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Keep the backup, then write the changes; a backup that led to nothing goes, and pushes out no other."""
    changes = json.loads(params["changes"])
    if check or not changes:
        return {"changed": bool(changes), "backup": ""}
    folder = Path(params["backup_folder"])
    try:
        kept = write_kept(folder, SUFFIX, params["backup"].encode())
    except OSError as error:
        text = f"The backup could not be kept in {folder}: {error.strerror}."
        raise FailedError(text, unsure=False) from error
    try:
        asked(params, {"changes": changes, "lock": params["lock"], "who": params["who"]})
    except FailedError as error:
        if not error.facts["unsure"]:
            kept.unlink()
        raise
    prune_kept(folder, SUFFIX, params["backup_keep"])
    return {"changed": True, "backup": str(kept)}


def main() -> None:
    """Export or apply, and tell in one sentence why not."""
    module = AnsibleModule(SPEC, supports_check_mode=True, required_if=REQUIRED)
    try:
        if module.params["state"] == "exported":
            module.exit_json(**export(module.params))
        module.exit_json(**apply(module.params, module.check_mode))
    except FailedError as error:
        module.fail_json(msg=str(error), **error.facts)


if __name__ == "__main__":
    main()
