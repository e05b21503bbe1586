#!/usr/bin/python
"""Write small text files of one owner, all in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_files
short_description: Write small text files of one owner, all in one call
description:
  - Replaces a file, in one step, when its content, owner, group or mode are not as wanted. A missing folder is made.
  - Files of another owner than root are written as that owner. It may lay links into its own folders at any moment,
    also while this runs, but they lead nowhere that it could not write itself. With M(ansible.builtin.copy) root would
    follow them, and that module can become another account only on hosts with ACLs.
  - What somebody wrote into a file since this module did is copied to C(/var/lib/airflow-ops-files/edited) before it is
    replaced, and a warning says where to. Only root may read the copies; the newest 20 of each file stay.
  - One call takes the place of the four to five that M(ansible.builtin.template) needs for a single file.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Where it lies., type: path, required: true}
      content: {description: Its whole text; no secrets., type: str, required: true}
      mode: {description: "Its permissions, as octal digits.", type: str, default: "0644"}
  owner:
    description: Name of the account that owns the files; a preview may come before the account.
    type: str
    required: true
  group:
    description: Name of the group of the files; the owner need not be in it.
    type: str
    required: true
  keep:
    description: Whether what somebody else wrote is kept; not for files in which nobody writes by hand.
    type: bool
    default: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Tell DAGs about the cluster
  airflow_files:
    files:
      - {path: /usr/hmg/2.2.1.0-552/airflow/cluster.json, content: "{}\n"}
    owner: airflow
    group: hadoop
"""

RETURN = r"""
written:
  description: The files that were replaced, or would be.
  type: list
  elements: str
  returned: success
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.owned_files import File, Owner, look_up
from ansible.module_utils.written_files import bring


def diff(path: str, before: File | None, after: File) -> dict[str, str]:
    """Return the difference as Ansible shows it: the texts or, when they are the same, the attributes."""
    same = before is not None and before.content == after.content
    texts = [file.attributes() if same else file.shown for file in (before or after, after)]
    return {"before_header": path, "before": texts[0] if before else "", "after_header": path, "after": texts[1]}


def main() -> None:
    """Compare and write."""
    file: dict[str, Any] = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
    }
    arguments = {
        "files": {"type": "list", "elements": "dict", "options": file, "required": True},
        "owner": {"type": "str", "required": True},
        "group": {"type": "str", "required": True},
        "keep": {"type": "bool", "default": True},
    }
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    names = f"{module.params['owner']}:{module.params['group']}"
    found = look_up(module.params["owner"], module.params["group"])
    if not (found or module.check_mode):
        module.fail_json(msg=f"Nothing was written: account or group of {names} does not exist on this host.")
    owner = found or Owner(0, 0)  # a preview that comes before the account
    wanted = {item["path"]: File(item["content"], owner, int(item["mode"], 8)) for item in module.params["files"]}
    os.umask(0o022)
    try:
        before, told = bring(wanted, owner, module.check_mode, module.params["keep"])
    except OSError as error:
        module.fail_json(
            msg=f"A file of {names} cannot be written, {error.filename2 or error.filename}: {error.strerror}."
        )
    for sentence in told:
        module.warn(sentence)
    # Ansible shows what a module returns, also with diff: false.
    shown = [diff(path, found, wanted[path]) for path, found in before.items()] if module._diff else []
    module.exit_json(changed=bool(before), written=list(before), diff=shown)


if __name__ == "__main__":
    main()
