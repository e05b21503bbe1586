#!/usr/bin/python
"""Have exactly one entry of the watchdog in a crontab, or none; entries of older watchdogs go."""

from __future__ import annotations

DOCUMENTATION = r"""
module: watchdog_crontab
short_description: Have exactly one entry of the watchdog in a crontab
description:
  - Writes a line that runs every minute, with a comment above that says whose it is.
  - Removes every other active line that calls C(serviceCheckAndRun.sh), wherever that script lies, from the crontab of
    the account and from those of others; two watchdogs would restart what the other one has just started.
  - Lines in C(/etc/crontab) and C(/etc/cron.d) belong to somebody else; they are named in a warning.
options:
  user:
    description: Whose crontab holds the entry.
    type: str
    required: true
  others:
    description: Further accounts from whose crontabs old entries are removed.
    type: list
    elements: str
    default: []
  command:
    description: What runs every minute; empty for no entry.
    type: str
    required: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Run the watchdog every minute
  watchdog_crontab:
    user: airflow
    others: [root]
    command: sh /usr/hmg/2.2.1.0-552/airflow/bin/serviceCheckAndRun.sh
"""

RETURN = r"""
replaced:
  description: The old entries that were removed, or would be.
  type: list
  elements: str
  returned: success
elsewhere:
  description: Files of the system that hold such an entry, too.
  type: list
  elements: str
  returned: success
"""

import pwd
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SCRIPT = "serviceCheckAndRun.sh"
MARK = "# The watchdog of the Airflow scheduler, written by Ansible."
SYSTEM_FILES = ("/etc/crontab", "/etc/cron.d")


def is_watchdog(line: str) -> bool:
    """Say whether a line of a crontab runs a watchdog."""
    return SCRIPT in line and not line.lstrip().startswith("#")


def planned(text: str, command: str) -> str:
    """Return the crontab with exactly one entry for the command, none when it is empty."""
    entry = f"* * * * * {command}"
    lines = text.splitlines()
    others = [line for line in lines if line != MARK and not is_watchdog(line)]
    wanted = [MARK, entry] if command else []
    if [line for line in lines if line == MARK or is_watchdog(line)] == wanted:
        return text
    return "".join(f"{line}\n" for line in [*others, *wanted])


def replaced(text: str, command: str) -> list[str]:
    """Return the entries that the plan removes."""
    return [line for line in text.splitlines() if is_watchdog(line) and line != f"* * * * * {command}"]


def system_files() -> list[str]:
    """Return the crontabs of the system that run a watchdog."""
    paths = [Path(name) for name in SYSTEM_FILES]
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if file.is_file()]
    return [str(file) for file in files if any(map(is_watchdog, file.read_text(errors="replace").splitlines()))]


class Crontabs:
    """The crontabs of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._program = module.get_bin_path("crontab")

    def read(self, user: str) -> str:
        """Return the crontab of an account, empty when there is none."""
        if not (self._program and has_account(user)):
            return ""
        code, text, _ = self._module.run_command([self._program, "-l", "-u", user])
        return str(text) if code == 0 else ""

    def write(self, user: str, text: str) -> None:
        """Replace the crontab of an account."""
        if not self._program:
            self._module.fail_json(msg="There is no command crontab on this host; install cron.")
        self._module.run_command([self._program, "-u", user, "-"], data=text, binary_data=True, check_rc=True)


def has_account(user: str) -> bool:
    """Say whether an account exists."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def main() -> None:
    """Compare and write."""
    options: dict[str, Any] = {
        "user": {"type": "str", "required": True},
        "others": {"type": "list", "elements": "str", "default": []},
        "command": {"type": "str", "required": True},
    }
    module = AnsibleModule(options, supports_check_mode=True)
    crontabs, found, diff = Crontabs(module), [], []
    user = module.params["user"]
    for account, command in [(user, module.params["command"]), *((other, "") for other in module.params["others"])]:
        before = crontabs.read(account)
        after = planned(before, command)
        found += replaced(before, command)
        if before != after:
            header = f"crontab of {account}"
            diff.append({"before_header": header, "before": before, "after_header": header, "after": after})
            if not module.check_mode:
                crontabs.write(account, after)
    elsewhere = system_files()
    for file in elsewhere:
        module.warn(f"{file} runs {SCRIPT}, too; remove that line: two watchdogs disturb each other.")
    shown = diff if module._diff else []
    module.exit_json(changed=bool(diff), replaced=found, elsewhere=elsewhere, diff=shown)


if __name__ == "__main__":
    main()
