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

import contextlib
import grp
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule


class Owner(NamedTuple):
    """The numbers of an account and a group."""

    user: int
    group: int


class File(NamedTuple):
    """A plain file: all that can differ."""

    content: str
    owner: Owner
    mode: int

    def attributes(self) -> str:
        """Return owner, group and mode as one line."""
        return f"{self.owner.user}:{self.owner.group} {self.mode:04o}\n"


def look_up(owner: str, group: str) -> Owner | None:
    """Return the numbers; None when the account or the group does not exist."""
    try:
        return Owner(pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
    except KeyError:
        return None


@contextlib.contextmanager
def acting_as(owner: Owner) -> Iterator[None]:
    """Reach files only as the account could, with the group as its only one; root stays what it is."""
    if os.geteuid() != 0 or owner.user == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([owner.group])
    os.setegid(owner.group)
    os.seteuid(owner.user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def read(path: str) -> File | None:
    """Return what lies at a path; None when that is no plain file that can be read, a link for example."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, encoding="utf-8", errors="replace") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                return None
            return File(file.read(), Owner(status.st_uid, status.st_gid), stat.S_IMODE(status.st_mode))
    except OSError:
        return None


def write(path: Path, wanted: File) -> None:
    """Put a file there, whole or not at all; it has its owner and mode before it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(wanted.content)
            os.fchown(handle, *wanted.owner)
            os.fchmod(handle, wanted.mode)
            file.flush()
            os.fsync(handle)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def diff(path: str, before: File | None, after: File) -> dict[str, str]:
    """Return the difference as Ansible shows it: the texts or, when they are the same, the attributes."""
    same = before is not None and before.content == after.content
    texts = [file.attributes() if same else file.content for file in (before or after, after)]
    return {"before_header": path, "before": texts[0] if before else "", "after_header": path, "after": texts[1]}


def replace_all(wanted: dict[str, File], dry: bool) -> list[dict[str, str]]:
    """Bring the files to what is wanted, or only look; return the differences."""
    before = {path: read(path) for path in wanted}
    differing = [path for path in wanted if before[path] != wanted[path]]
    for path in [] if dry else differing:
        write(Path(path), wanted[path])
    return [{"path": path, **diff(path, before[path], wanted[path])} for path in differing]


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
        with acting_as(owner):
            differences = replace_all(wanted, module.check_mode)
    except OSError as error:
        module.fail_json(
            msg=f"A file of {names} cannot be written, {error.filename2 or error.filename}: {error.strerror}."
        )
    written = [each.pop("path") for each in differences]
    shown = differences if module._diff else []  # Ansible shows what a module returns, also with diff: false
    module.exit_json(changed=bool(written), written=written, diff=shown)


if __name__ == "__main__":
    main()
