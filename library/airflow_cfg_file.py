#!/usr/bin/python
"""Ansible module: write airflow.cfg after the installed Airflow has judged it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_cfg_file
short_description: Write airflow.cfg after the installed Airflow has judged it
description:
  - The text is judged by the Airflow of the host before the live file is replaced; a preview on a host without Airflow
    judges nothing. Unknown, misplaced, renamed and upper-case options, wrong types, values outside an enumeration, a
    C(%) that is not doubled, a Fernet key that is none and secrets that Airflow would expand are refused, each in one
    sentence.
  - A text that is live already is judged again only when the host's Airflow was switched since it was written.
  - The file is replaced in one step and is never readable by others, not even for a moment.
  - What somebody wrote into the file since this module did is copied to C(/var/lib/airflow-ops-files/edited) before it
    is replaced, and a warning says where to. Only root may read the copies; the newest 20 stay.
  - The diff shows options, not lines, with C((secret)) or C((secret, changed)) for the value of a secret.
options:
  path:
    description: The file.
    type: path
    required: true
  content:
    description: Its whole text. It holds secrets and is never shown.
    type: str
    required: true
  hint:
    description: Where to fix what is wrong; the last sentence of a refusal.
    type: str
    required: true
  owner:
    description: Name of the account that owns the file; root writes it as that account.
    type: str
    required: true
  group:
    description: Name of the group of the file.
    type: str
    required: true
  mode:
    description: Its permissions, as octal digits.
    type: str
    default: "0600"
extends_documentation_fragment: [airflow_inside]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: Airflow operations
"""

EXAMPLES = r"""
- name: Write airflow.cfg
  airflow_cfg_file:
    path: /usr/hmg/2.2.1.0-552/airflow/airflow.cfg
    content: "{{ settings | airflow_cfg }}"
    python: /usr/hmg/2.2.1.0-552/airflow/venv/bin/python
    user: airflow
    environment_file: /etc/airflow/airflow.env
    hint: See airflow_config_settings.
    owner: airflow
    group: hadoop
    mode: "0600"
"""

RETURN = r"""
version:
  description: The Airflow that judged the text, empty when there was none or nothing to judge.
  type: str
  returned: success
  sample: 2.11.2
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.airflow_inside import cfg_check
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, NotInstalledError, run_inside
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.cfg_diff import SENSITIVE, masked_diff
from ansible.module_utils.owned_files import File, Owner, acting_as, look_up, read
from ansible.module_utils.written_files import bring

SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True, "no_log": True},
    "hint": {"type": "str", "required": True},
    "owner": {"type": "str", "required": True},
    "group": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0600"},
}


def judged_before(live: File | None, content: str, path: Path, python: Path) -> bool:
    """Return whether the text is live and was written for the Airflow that the link to the environment names now."""
    environment = python.parent.parent
    if live is None or live.content != content or not environment.is_symlink():
        return False
    return path.lstat().st_mtime >= environment.lstat().st_mtime


def judge(module: AnsibleModule) -> dict[str, Any]:
    """Return the verdict of the installed Airflow; end the module when the text is refused."""
    params = module.params
    try:
        # The checker must read no live configuration and must leave nothing behind.
        verdict: dict[str, Any] = run_inside(
            params, cfg_check, {"text": params["content"]}, AIRFLOW_CONFIG=os.devnull, _AIRFLOW__AS_LIBRARY="1"
        )
    except NotInstalledError as error:
        if not module.check_mode:
            module.fail_json(msg=f"{params['path']} was not changed, because Airflow could not judge it. {error}")
        module.warn(f"{params['path']} is not validated in this preview. {error}")
        return {"version": "", "findings": [], "sensitive": []}
    except InsideError as error:
        module.fail_json(msg=f"{params['path']} was not changed. {error}")
    if verdict["findings"]:
        module.fail_json(msg=refusal(params["path"], verdict["findings"], params["hint"]), findings=verdict["findings"])
    return verdict


def refusal(path: str, findings: list[str], hint: str) -> str:
    """Return the message for a text that Airflow would not take as it is meant."""
    return f"{path} was not changed: {' '.join(findings)} {hint}"


def main() -> None:
    """Judge, compare, write."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    params = module.params
    found = look_up(params["owner"], params["group"])
    names = f"{params['owner']}:{params['group']}"
    if not (found or module.check_mode):
        module.fail_json(msg=f"Nothing was written: account or group of {names} does not exist on this host.")
    owner = found or Owner(0, 0)  # a preview that comes before the account
    wanted = File(params["content"], owner, int(params["mode"], 8))
    with acting_as(owner):
        live = read(params["path"])
    known = judged_before(live, params["content"], Path(params["path"]), Path(params["python"]))
    verdict = {"version": "", "sensitive": []} if known else judge(module)
    try:
        before, told = bring({params["path"]: wanted}, owner, module.check_mode)
    except OSError as error:
        module.fail_json(
            msg=f"{params['path']} cannot be written, {error.filename2 or error.filename}: {error.strerror}."
        )
    for sentence in told:
        module.warn(sentence)
    sensitive = {*SENSITIVE, *map(tuple, verdict["sensitive"])}
    diff = masked_diff(params["path"], live.shown if live else "", params["content"], sensitive)
    module.exit_json(changed=bool(before), version=verdict["version"], diff=diff)


if __name__ == "__main__":
    main()
