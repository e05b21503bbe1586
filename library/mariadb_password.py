#!/usr/bin/python
"""Let an account of MariaDB log in with a password, and as long as wanted with those that it had before."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mariadb_password
short_description: Set the password of an account of MariaDB, beside those that it had or instead of them
description:
  - An account of MariaDB may have several ways to log in (C(IDENTIFIED VIA ... OR ...)), so that two passwords hold
    while those who log in change from one to the other. M(community.mysql.mysql_user) knows one only.
  - Changes the account at all of its addresses. Does nothing when there is no such account.
  - What an account had is read from the server, so a run that was killed can be repeated, and a password that changes
    again meanwhile drops none that somebody may still use.
  - Must run as root on the server's host, while the server runs.
options:
  keep:
    description: Whether the passwords that hold today go on holding.
    type: bool
    default: false
  login_unix_socket:
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
  mariadb_password:
    user: airflow
    password: "{{ metadata_db_password }}"
    keep: true
    login_unix_socket: /run/mysqld/mysqld.sock
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, one sentence for each address.
  returned: success
  type: list
  elements: str
  sample: ["set the password of airflow@192.0.2.12, the one before holds too"]
earlier:
  description: The addresses from which the account still can log in with an earlier password.
  returned: success
  type: list
  elements: str
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.community.mysql.plugins.module_utils.mysql import (
    mysql_connect,
    mysql_driver,
    mysql_driver_fail_msg,
)

LOOK = "SELECT Host, Priv FROM mysql.global_priv WHERE User = %s ORDER BY Host"
NATIVE = "mysql_native_password"


class Login(NamedTuple):
    """One way to log in: a plugin of the server and what it compares with."""

    plugin: str
    secret: str


class Action(NamedTuple):
    """One account to change: what to tell people, its host, and the ways that it has afterwards."""

    text: str
    host: str
    logins: list[Login]


def native(password: str) -> Login:
    """Return the login by password, as the server keeps it."""
    inner = hashlib.sha1(password.encode()).digest()
    return Login(NATIVE, f"*{hashlib.sha1(inner).hexdigest().upper()}")


def logins_of(privileges: Mapping[str, Any]) -> list[Login]:
    """Return the ways to log in of an account, from the column Priv of mysql.global_priv.

    Of several the first stands beside the others, which an empty entry in their list marks.
    """
    entries = [entry or privileges for entry in privileges.get("auth_or", [{}])]
    return [Login(entry.get("plugin", NATIVE), entry.get("authentication_string", "")) for entry in entries]


def plan(have: Mapping[str, list[Login]], name: str, want: Login, keep: bool) -> list[Action]:
    """Return what gives the account at each of its hosts the wanted login. One without a secret is never kept."""
    actions = []
    for host, logins in have.items():
        kept = [login for login in logins if login.secret] if keep else []
        wanted = kept if want in kept else [want, *kept]
        if wanted == logins:
            continue
        if want in logins:
            text = f"retire the earlier password of {name}@{host}"
        else:
            text = f"set the password of {name}@{host}{', the one before holds too' if kept else ''}"
        actions.append(Action(text, host, wanted))
    return actions


def statement(name: str, action: Action) -> tuple[str, list[str]]:
    """Return the statement with its values, which the driver quotes; a plugin is a name and no value."""
    for login in action.logins:
        if not re.fullmatch(r"\w+", login.plugin):
            raise ValueError(f"{login.plugin!r} is no name of a plugin")
    ways = " OR ".join(f"{login.plugin} USING %s" for login in action.logins)
    return f"ALTER USER %s@%s IDENTIFIED VIA {ways}", [name, action.host, *(login.secret for login in action.logins)]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "keep": {"type": "bool", "default": False},
            "login_unix_socket": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if mysql_driver is None:
        module.fail_json(msg=mysql_driver_fail_msg)
    name, want = module.params["user"], native(module.params["password"])
    try:
        cursor, _connection = mysql_connect(module, login_user="root", config_file="", db="", connect_timeout=10)
        cursor.execute(LOOK, (name,))
        have = {host: logins_of(json.loads(privileges)) for host, privileges in cursor.fetchall()}
        actions = plan(have, name, want, module.params["keep"])
        for action in actions if not module.check_mode else ():
            cursor.execute(*statement(name, action))
    except mysql_driver.Error as error:
        module.fail_json(msg=f"The server does not let root set the password of {name}: {error.args[-1]}.")
    have |= {action.host: action.logins for action in actions}
    texts = [action.text for action in actions]
    module.exit_json(
        changed=bool(actions),
        actions=texts,
        earlier=[host for host, logins in have.items() if logins != [want]],
        diff={"prepared": "".join(f"+ {text}\n" for text in texts)},
    )


if __name__ == "__main__":
    main()
