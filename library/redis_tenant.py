#!/usr/bin/python
"""Make the one account of a Redis server and set its password, without a restart of the server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_tenant
short_description: Make the one account of a Redis server and set its password, without a restart
description:
  - Writes the file of the accounts (C(aclfile)), which holds hashes, and tells a running server what stands there. Who
    is connected stays connected, which neither a restart nor C(ACL LOAD) grants.
  - To tell the server, root has an account of its own that may do nothing else; a random password of it lies in a file
    that root alone can read. The server is asked over its socket, where nobody else can answer.
  - A server that does not run, does not know root's account yet or knows accounts of others is reported; a start reads
    the file.
  - Must run as root on the server's host.
options:
  keep:
    description: Whether the passwords that the account had go on holding.
    type: bool
    default: false
  path:
    description: The file of the accounts.
    type: path
    required: true
  group:
    description: The group that may read it.
    type: str
    default: redis
  root_secret:
    description: The file with the password of root's account; its folder must be root's.
    type: path
    required: true
  socket:
    description: The socket of the server.
    type: path
    required: true
extends_documentation_fragment: [login]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [Airflow operations]
"""

EXAMPLES = r"""
- name: Let the account log in with the new password and with the one before
  redis_tenant:
    user: airflow
    password: "{{ broker_password }}"
    keep: true
    path: /etc/redis/airflow.acl
    root_secret: /etc/airflow/redis-root
    socket: /run/redis/airflow.sock
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["set the password of airflow, the one before holds too"]
earlier:
  description: Whether the account still can log in with an earlier password.
  returned: success
  type: bool
restart:
  description: Whether it takes a start for the server to know these accounts and no others.
  returned: success
  type: bool
"""

import grp
import hashlib
import os
import re
import secrets
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from ansible.module_utils.basic import AnsibleModule

# No account of Airflow can have this name: theirs begin with a letter.
ROOT = "_root"
ROOT_RULES = ("resetkeys", "resetchannels", "-@all", "+acl|setuser", "+acl|getuser", "+acl|users")
RULES = ("~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")
TIMEOUT = 10.0  # seconds

Reply = Any  # text, a number, nothing, or a list of replies


class ServerError(Exception):
    """The server refuses, in its own words."""


def hashed(password: str) -> str:
    """Return a password as the server keeps it."""
    return hashlib.sha256(password.encode()).hexdigest()


def passwords_in(accounts: str, user: str) -> list[str]:
    """Return the hashes of an account's passwords from the file of the accounts."""
    line = re.search(rf"^user {re.escape(user)} .*$", accounts, re.MULTILINE)
    return re.findall(r"(?<=#)[0-9a-f]{64}", line[0]) if line else []


def wanted_passwords(password: str, earlier: list[str], keep: bool) -> list[str]:
    """Return the hashes that shall hold, today's first."""
    return list(dict.fromkeys([hashed(password), *(earlier if keep else [])]))


def rules(passwords: list[str]) -> list[str]:
    """Return what the account may do and how it logs in, in the words of C(ACL SETUSER)."""
    return ["on", *(f"#{each}" for each in passwords), *RULES]


def accounts_file(user: str, passwords: list[str], root_secret: str) -> str:
    """Return the file of the accounts: nobody without a name, root's account, and the one of Airflow."""
    root = ["on", f"#{hashed(root_secret)}", *ROOT_RULES]
    lines = ["user default off", f"user {ROOT} {' '.join(root)}", f"user {user} {' '.join(rules(passwords))}"]
    return "".join(f"{line}\n" for line in lines)


def sentence(user: str, had: list[str], passwords: list[str]) -> str:
    """Return what leads from the passwords that held to those that shall."""
    if passwords[0] in had:
        return f"retire the earlier password of {user}" if len(had) > len(passwords) else f"write the account {user}"
    if not had:
        return f"make the account {user}"
    return f"set the password of {user}{', the one before holds too' if len(passwords) > 1 else ''}"


def command(*words: str) -> bytes:
    """Return a command as the server reads it."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def reply(stream: BinaryIO) -> Reply:
    """Read one reply of the server."""
    line = stream.readline()
    kind, text = line[:1], line[1:].strip().decode()
    if kind == b"+":
        return text
    if kind == b":":
        return int(text)
    if kind == b"$":
        return None if text == "-1" else stream.read(int(text) + 2)[:-2].decode()
    if kind == b"*":
        return [reply(stream) for _ in range(int(text))]
    raise ServerError(text or "the server closed the connection")


class Server:
    """A running server, to which root has logged in."""

    def __init__(self, path: str, secret: str) -> None:
        """Connect and log in.

        :raises OSError: when nobody answers.
        :raises ServerError: when the server does not know the account.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(path)
        self._stream = self._socket.makefile("rb")
        self.ask("AUTH", ROOT, secret)

    def ask(self, *words: str) -> Reply:
        """Send a command and return the reply."""
        self._socket.sendall(command(*words))
        return reply(self._stream)

    def passwords(self, user: str) -> list[str]:
        """Return the hashes of the passwords with which an account logs in."""
        answer = self.ask("ACL", "GETUSER", user) or []
        return list(answer[answer.index("passwords") + 1]) if "passwords" in answer else []

    def knows_others(self, user: str) -> bool:
        """Say whether there are accounts beside ours, an earlier C(broker_user) for one."""
        return bool(set(self.ask("ACL", "USERS")) - {"default", ROOT, user})


def connected(path: str, secret: str) -> Server | None:
    """Return the server, None where none runs that knows root's account."""
    try:
        return Server(path, secret)
    except (OSError, ServerError):
        return None


def content(path: Path) -> str:
    """Return the text of a file, '' where there is none."""
    return path.read_text() if path.exists() else ""


def is_as(path: Path, text: str, mode: int, gid: int) -> bool:
    """Say whether a file is there with this text, this mode, and root as its owner."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    seen = (stat.S_ISREG(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return seen == (True, mode, 0, gid) and path.read_text() == text


def write(path: Path, text: str, mode: int, gid: int) -> None:
    """Write a file, whole or not at all; the folder may be the server's, who could lay a link there."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchown(descriptor, 0, gid)
        os.fchmod(descriptor, mode)
        file.write(text)
    Path(name).replace(path)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "keep": {"type": "bool", "default": False},
            "path": {"type": "path", "required": True},
            "group": {"type": "str", "default": "redis"},
            "root_secret": {"type": "path", "required": True, "no_log": False},
            "socket": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    path, secret_path, user = Path(given["path"]), Path(given["root_secret"]), given["user"]
    secret = content(secret_path) or secrets.token_hex(32)
    had = passwords_in(content(path), user)
    passwords = wanted_passwords(given["password"], had, given["keep"])
    try:
        gid = grp.getgrnam(given["group"]).gr_gid
    except KeyError:
        module.fail_json(msg=f"There is no group {given['group']}, so Redis is not installed here.")
    files = [(secret_path, secret, 0o600, 0), (path, accounts_file(user, passwords, secret), 0o640, gid)]
    wrong = [file for file in files if not is_as(*file)]
    server = connected(given["socket"], secret)
    try:
        told = server is None or set(server.passwords(user)) == set(passwords)
        restart = server is None or server.knows_others(user)
        if not module.check_mode:
            for file in wrong:
                write(*file)
            if server:
                server.ask("ACL", "SETUSER", user, "reset", *rules(passwords))
    except (OSError, ServerError) as error:
        module.fail_json(msg=f"Redis does not take the account {user}: {error}; see its journal, and run this again.")
    changed = bool(wrong) or not told
    texts = [sentence(user, had, passwords)] if changed else []
    module.exit_json(
        changed=changed,
        actions=texts,
        earlier=len(passwords) > 1,
        restart=restart,
        diff={"prepared": "".join(f"+ {text}\n" for text in texts)},
    )


if __name__ == "__main__":
    main()
