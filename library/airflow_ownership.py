#!/usr/bin/python
"""Bring owner, group and modes of the DAGs and the logs back to what they should be."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_ownership
short_description: Bring owner, group and modes of the DAGs and the logs back to what they should be
description:
  - DAGs, in the dags folder and in the folder C(dag_releases) beside it, have exactly the modes of a release; a file
    that its owner may run stays a program. Of what Python writes at run time (C(__pycache__)) only owner and group
    matter.
  - Logs have at least the bits of their modes, and may belong to the accounts of run_as_user.
  - Follows no link. A file with a second name (a hard link) that belongs to another account is left alone and told.
options:
  paths:
    description: Absolute paths below the dags folder, C(dag_releases) or the log folder; empty means all of the three.
    type: list
    elements: path
    default: []
  owner:
    description: The account of Airflow.
    type: str
    required: true
extends_documentation_fragment: [ownership]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Give everything back to Airflow
  airflow_ownership:
    dags_folder: /usr/hmg/2.2.1.0-552/airflow/dags
    log_folder: /var/log/airflow
    owner: airflow
    group: hadoop
    file_mode: "0640"
    folder_mode: "0750"
"""

RETURN = r"""
files:
  description: How many files and folders were looked at.
  type: int
  returned: success
changes:
  description: How many of them were changed, or would be.
  type: int
  returned: success
missing:
  description: Those of the paths that do not exist on this host.
  type: list
  elements: str
  returned: success
lines:
  description: A line for each of the first changes.
  type: list
  elements: str
  returned: success
"""

from pathlib import PurePosixPath
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.ownership import ARGUMENTS, Area, Change, areas, below_release, printable, shown

SHOWN = 20  # lines
COMPARED = 2000  # files of a diff
SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "paths": {"type": "list", "elements": "path", "default": []},
    "owner": {"type": "str", "required": True},
}


def line(change: Change) -> str:
    """Return what happens to a file as one line."""
    if change.refused:
        return f"{printable(change.path)}: {shown(change.before)}, left alone: {change.refused}"
    return f"{printable(change.path)}: {shown(change.before)} -> {shown(change.after)}"


def difference(changes: list[Change]) -> dict[str, str]:
    """Return the changes as Ansible shows a diff."""
    cut = changes[:COMPARED]
    rest = f"... and {len(changes) - COMPARED} more\n" if len(changes) > COMPARED else ""
    before, after = ("".join(f"{printable(each.path)} {shown(each[side])}\n" for each in cut) + rest for side in (1, 2))
    return {"before_header": "owner and mode", "after_header": "owner and mode", "before": before, "after": after}


def area_of(path: PurePosixPath, found: list[Area]) -> Area:
    """Return the area in which a path lies.

    :raises ValueError: with one sentence, when it lies elsewhere.
    """
    for area in found:
        if path == area.path or area.path in path.parents:
            return area
    raise ValueError(f"{path} lies neither in {' nor in '.join(str(area.path) for area in found)}.")


def main() -> None:
    """Look and change."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    try:
        found = areas(module.params)
    except KeyError as error:
        if not module.check_mode:
            module.fail_json(msg=f"Nothing was changed: {error.args[0].replace('name not found', 'unknown')}.")
        module.exit_json(changed=False, files=0, changes=0, missing=[], lines=[], warnings=["There is no Airflow yet."])
    changes: list[Change] = []
    files, missing = 0, []
    try:
        for path in module.params["paths"] or [str(area.path) for area in found]:
            real = below_release(PurePosixPath(path), found[0].path)
            done, number, exists = area_of(real, found).change(real, module.check_mode)
            changes, files = changes + done, files + number
            missing += [] if exists else [path]
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"The owners cannot be looked at: {printable(str(error))}")
    acting = [change for change in changes if not change.refused]
    rest = [f"... and {len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
    module.exit_json(
        changed=bool(acting),
        files=files,
        changes=len(acting),
        missing=missing if module.params["paths"] else [],
        lines=[line(change) for change in changes[:SHOWN]] + rest,
        diff=[difference(acting)] if module._diff and acting else [],
    )


if __name__ == "__main__":
    main()
