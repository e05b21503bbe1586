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
extends_documentation_fragment: [airflow_inside, files]
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
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.airflow_inside import cfg_check
from ansible.module_utils.airflow_python import ARGUMENTS, InsideError, NotInstalledError, run_inside
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.cfg_diff import SENSITIVE, masked_diff

SPEC: dict[str, Any] = {
    **ARGUMENTS,
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True, "no_log": True},
    "hint": {"type": "str", "required": True},
}


def judged_before(path: Path, content: str, python: Path) -> bool:
    """Return whether the text is live and was written for the Airflow that the link to the environment names now."""
    environment = python.parent.parent
    if not path.exists() or not environment.is_symlink() or read(path) != content:
        return False
    return path.stat().st_mtime >= environment.lstat().st_mtime


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


def read(path: Path) -> str:
    """Return the live text, empty when there is no file."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def write(module: AnsibleModule) -> None:
    """Replace the file in one step; the new one has its owner and mode before it has its name."""
    path = Path(module.params["path"])
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    module.add_cleanup_file(name)  # it holds all secrets: gone, too, when the write fails
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(module.params["content"])
        file.flush()
        os.fsync(file.fileno())
    module.set_fs_attributes_if_different(module.load_file_common_arguments(module.params, path=name), changed=True)
    os.replace(name, path)  # noqa: PTH105 - the pair to mkstemp


def main() -> None:
    """Judge, compare, write."""
    module = AnsibleModule(SPEC, supports_check_mode=True, add_file_common_args=True)
    path = Path(module.params["path"])
    known = judged_before(path, module.params["content"], Path(module.params["python"]))
    verdict = {"version": "", "sensitive": []} if known else judge(module)
    before, after = read(path), module.params["content"]
    if before != after and not module.check_mode:
        write(module)
    changed = module.set_fs_attributes_if_different(
        module.load_file_common_arguments(module.params, path=str(path)), changed=before != after
    )
    sensitive = {*SENSITIVE, *map(tuple, verdict["sensitive"])}
    module.exit_json(changed=changed, version=verdict["version"], diff=masked_diff(str(path), before, after, sensitive))


if __name__ == "__main__":
    main()
