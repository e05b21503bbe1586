#!/usr/bin/python
"""Find the old way to deliver DAGs in the admin's home, and take it out of the way."""

DOCUMENTATION = r"""
module: dag_release_old_commands
short_description: Disable the alias ss and the script scp_dag.sh in the home of an account
description:
  - An alias beats the PATH, so an old C(alias ss=) would keep C(ss FILE) on the old script, which copies node by node.
  - Lines that define the alias become comments; the script loses its executable bits and gets the suffix C(.disabled).
    Of each shell file that changes a copy with the suffix C(.before-airflow-ops) stays.
  - The nodes that the script names are compared with the inventory.
options:
  user:
    description: Account in whose home to look.
    type: str
    required: true
  workers:
    description: Names of the workers in the inventory.
    type: list
    elements: str
    required: true
author: Airflow operations
"""

EXAMPLES = r"""
- name: Disable the old way to deliver DAGs
  dag_release_old_commands:
    user: mbsadmin
    workers: [dn01p, dn02p, dn03p]
"""

RETURN = r"""
found:
  description: What was found and disabled, one sentence each.
  type: list
  elements: str
  returned: success
nodes:
  description: How the nodes of the script differ from the workers of the inventory, one sentence each.
  type: list
  elements: str
  returned: success
"""

import os
import pwd
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SHELL_FILES = (".bashrc", ".bash_profile", ".bash_aliases", ".profile", ".zshrc", ".aliases")
SCRIPT = "bin/scp_dag.sh"
ALIAS = re.compile(r"^(?=\s*alias\s+(-g\s+)?ss=)", re.MULTILINE)
MARK = "# disabled by airflow-ops, ss is on the PATH now: "


def aliases(text: str) -> list[str]:
    """Return the lines of a shell file that define the alias."""
    return [line.strip() for line in text.splitlines() if ALIAS.match(line)]


def disabled(text: str) -> str:
    """Return a shell file in which the lines that define the alias are comments."""
    return ALIAS.sub(MARK, text)


def nodes_in(script: str, workers: Iterable[str]) -> set[str]:
    """Return the words of a script that look like the workers: their names, and names that differ in digits only."""
    shapes = {re.sub(r"\d", r"\\d", re.escape(name)) for name in workers}
    code = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("#"))
    found = set(re.findall(rf"(?<![\w-])(?:{'|'.join(shapes)})(?![\w-])", code)) if shapes else set()
    for first, low, high, rest in re.findall(r"(?<![\w-])([\w-]+)\{(\d+)\.\.(\d+)\}([a-zA-Z]*)", code):
        found |= {f"{first}{number:0{len(low)}}{rest}" for number in range(int(low), int(high) + 1)}
    return found


def difference(nodes: set[str], workers: set[str]) -> list[str]:
    """Return how the nodes of the script differ from the workers of the inventory."""
    notes = []
    if not nodes:
        return [f"the nodes that {SCRIPT} copies to cannot be read from it; compare them with the inventory by eye"]
    if more := sorted(nodes - workers):
        notes.append(f"{SCRIPT} copies to {', '.join(more)}, which the inventory does not have as workers")
    if less := sorted(workers - nodes):
        notes.append(f"{SCRIPT} does not copy to {', '.join(less)}, which are workers of the inventory")
    return notes


def take_out(home: Path, check: bool) -> list[str]:
    """Disable alias and script; return what was found."""
    found = []
    for path in (home / name for name in SHELL_FILES):
        text = path.read_text(errors="surrogateescape") if path.is_file() else ""
        if lines := aliases(text):
            found.append(f"{path} defined {' and '.join(lines)}")
            if not check:
                backup = path.with_name(f"{path.name}.before-airflow-ops")
                if not backup.exists():
                    shutil.copy2(path, backup)
                    os.chown(backup, path.stat().st_uid, path.stat().st_gid)
                path.write_text(disabled(text), errors="surrogateescape")
    script = home / SCRIPT
    if script.is_file():
        found.append(f"{script} copied DAGs node by node")
        if not check:
            if not script.is_symlink():  # what it leads to may be somebody else's
                script.chmod(script.stat().st_mode & ~0o111)
            script.rename(script.with_name(f"{script.name}.disabled"))
    return found


def main() -> None:
    """Look, compare and disable."""
    options: dict[str, Any] = {
        "user": {"type": "str", "required": True},
        "workers": {"type": "list", "elements": "str", "required": True},
    }
    module = AnsibleModule(options, supports_check_mode=True)
    try:
        home = Path(pwd.getpwnam(module.params["user"]).pw_dir)
    except KeyError:
        module.exit_json(changed=False, found=[], nodes=[])
    workers = module.params["workers"]
    script = home / SCRIPT
    text = script.read_text(errors="replace") if script.is_file() else None
    nodes = [] if text is None else difference(nodes_in(text, workers), set(workers))
    found = take_out(home, module.check_mode)
    module.exit_json(changed=bool(found), found=found, nodes=nodes)


if __name__ == "__main__":
    main()
