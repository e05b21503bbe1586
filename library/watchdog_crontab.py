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
  - Removes such lines from C(/etc/crontab) and the files of C(/etc/cron.d), too; their other lines stay.
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
"""

import os
import pwd
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SCRIPT = "serviceCheckAndRun.sh"
MARK = "# The watchdog of the Airflow scheduler, written by Ansible."
NONE = "no crontab for"  # as crontab says it, in English, when there is none
SYSTEM_FILES = ("/etc/crontab", "/etc/cron.d")
ENCODING = "latin-1"  # whatever bytes a file of the system holds, they stay


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


def cleared(text: str) -> str:
    """Return a crontab of the system without entries of watchdogs."""
    return "".join(line for line in text.splitlines(keepends=True) if not is_watchdog(line))


def system_files() -> list[Path]:
    """Return the crontabs of the system."""
    paths = [Path(name) for name in SYSTEM_FILES]
    return [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if file.is_file()]


def difference(header: str, before: str, after: str) -> dict[str, str]:
    """Return a difference as Ansible shows it."""
    return {"before_header": header, "before": before, "after_header": header, "after": after}


class Crontabs:
    """The crontabs of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._program = module.get_bin_path("crontab")

    def read(self, user: str) -> str:
        """Return the crontab of an account, empty when there is none."""
        if not (self._program and has_account(user)):
            return ""
        code, text, said = self._module.run_command([self._program, "-l", "-u", user], environ_update={"LC_ALL": "C"})
        if code and NONE not in said:  # what cannot be read would be lost in writing
            self._module.fail_json(msg=f"The crontab of {user} cannot be read: {said.strip() or f'exit code {code}'}.")
        return "" if code else str(text)

    def write(self, user: str, text: str) -> None:
        """Replace the crontab of an account."""
        if not self._program:
            self._module.fail_json(msg="There is no command crontab on this host; install cron.")
        self._module.run_command([self._program, "-u", user, "-"], data=text, binary_data=True, check_rc=True)

    def write_file(self, file: Path, text: str) -> None:
        """Replace a crontab of the system as a whole; owner and mode stay."""
        handle, temporary = tempfile.mkstemp(dir=self._module.tmpdir)
        with os.fdopen(handle, "wb") as new:
            new.write(text.encode(ENCODING))
        self._module.atomic_move(temporary, str(file))


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
            diff.append(difference(f"crontab of {account}", before, after))
            if not module.check_mode:
                crontabs.write(account, after)
    for file in system_files():
        before = file.read_bytes().decode(ENCODING)
        after = cleared(before)
        found += replaced(before, "")
        if before != after:
            diff.append(difference(str(file), before, after))
            if not module.check_mode:
                crontabs.write_file(file, after)
    shown = diff if module._diff else []
    module.exit_json(changed=bool(diff), replaced=found, diff=shown)


if __name__ == "__main__":
    main()
