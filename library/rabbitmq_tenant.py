#!/usr/bin/python
"""Make a virtual host of RabbitMQ and the one account that may use it, without a password on a command line."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rabbitmq_tenant
short_description: Make a virtual host of RabbitMQ and the one account that may use it
description:
  - Compares what the server exports (C(rabbitmqctl export_definitions)) with what is wanted and imports the difference.
  - The password never stands on a command line, unlike with M(community.rabbitmq.rabbitmq_user). Only its salted hash
    is handed over, on standard input. A changed password takes effect at once, an unchanged one is no change. An
    account of RabbitMQ has one password. From then on nobody logs in with the one before; connections stay.
  - The account gets all rights in the virtual host, none in others, and no tags.
  - Must run as root on the server's host, while the server runs.
options:
  vhost:
    description: Name of the virtual host.
    type: str
    required: true
  update_password:
    description: Whether an account that exists with another password gets this one, or is left as it is.
    type: str
    choices: [always, on_create]
    default: always
  absent_users:
    description: Accounts that are removed.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [login]
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: Make the virtual host airflow and its account, remove the one that everybody knows
  rabbitmq_tenant:
    vhost: airflow
    user: airflow
    password: "{{ broker_password }}"
    absent_users: [guest]
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["make the virtual host airflow", "remove the account guest"]
pending:
  description: Whether the account keeps another password than the given one.
  returned: always
  type: bool
"""

import base64
import hashlib
import hmac
import json
import os
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

HASHING = "rabbit_password_hashing_sha256"
SALT_BYTES = 4
ALL_RIGHTS = {"configure": ".*", "write": ".*", "read": ".*"}

Definitions = dict[str, list[dict[str, Any]]]


class Action(NamedTuple):
    """One thing to do: what to tell people, and either definitions to import or arguments of rabbitmqctl."""

    text: str
    definitions: Definitions
    arguments: list[str]


def password_hash(password: str, salt: bytes) -> str:
    """Return the hash as RabbitMQ keeps it: base64 of the salt and the SHA-256 of salt and password."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def is_password(user: dict[str, Any], password: str) -> bool:
    """Return whether the account, as exported, has this password."""
    if user.get("hashing_algorithm") != HASHING:
        return False
    known = str(user.get("password_hash", ""))
    return hmac.compare_digest(known, password_hash(password, base64.b64decode(known)[:SALT_BYTES]))


def account(have: Definitions, name: str) -> dict[str, Any] | None:
    """Return the account, as exported."""
    return next((user for user in have["users"] if user["name"] == name), None)


def is_pending(have: Definitions, want: dict[str, Any]) -> bool:
    """Return whether the account keeps another password than the wanted one."""
    user = account(have, want["user"])
    return bool(want["update_password"] == "on_create" and user and not is_password(user, want["password"]))


def plan_user(have: Definitions, want: dict[str, Any], salt: bytes) -> list[Action]:
    """Return what gives the account its password and no tags; one that keeps another password is left as it is."""
    name, password = want["user"], want["password"]
    user = account(have, name)
    if is_pending(have, want) or (user and is_password(user, password) and not user.get("tags")):
        return []
    wanted = {"name": name, "password_hash": password_hash(password, salt), "hashing_algorithm": HASHING, "tags": []}
    text = f"set password and tags of the account {name}" if user else f"make the account {name}"
    return [Action(text, {"users": [wanted]}, [])]


def plan_permissions(have: Definitions, name: str, vhost: str) -> list[Action]:
    """Return what gives the account all rights in the virtual host, and none in others."""
    held = {entry["vhost"]: entry for entry in have["permissions"] if entry["user"] == name}
    actions = []
    if any(held.get(vhost, {}).get(right) != pattern for right, pattern in ALL_RIGHTS.items()):
        wanted = {"user": name, "vhost": vhost, **ALL_RIGHTS}
        actions.append(Action(f"give {name} the virtual host {vhost}", {"permissions": [wanted]}, []))
    for other in sorted(set(held) - {vhost}):
        actions.append(
            Action(f"take the virtual host {other} from {name}", {}, ["clear_permissions", "-p", other, name])
        )
    return actions


def plan(have: Definitions, want: dict[str, Any], salt: bytes) -> list[Action]:
    """Return what leads from the exported definitions to the wanted tenant, in order."""
    actions = []
    if want["vhost"] not in {vhost["name"] for vhost in have["vhosts"]}:
        actions.append(Action(f"make the virtual host {want['vhost']}", {"vhosts": [{"name": want["vhost"]}]}, []))
    actions += plan_user(have, want, salt)
    actions += plan_permissions(have, want["user"], want["vhost"])
    present = {user["name"] for user in have["users"]}
    actions += [
        Action(f"remove the account {name}", {}, ["delete_user", name])
        for name in want["absent_users"]
        if name in present
    ]
    return actions


def rabbitmqctl(module: AnsibleModule, arguments: list[str], stdin: str = "") -> str:
    """Run rabbitmqctl and return its output; end the task with its own words when it fails."""
    command = [module.get_bin_path("rabbitmqctl", required=True, opt_dirs=["/usr/sbin"]), "-q", *arguments]
    rc, out, err = module.run_command(command, data=stdin)
    if rc != 0:
        reason = " ".join((err or out).split())
        module.fail_json(msg=f"rabbitmqctl {arguments[0]} failed: {reason}; is the server running? See journalctl.")
    return str(out)


def exported(module: AnsibleModule) -> Definitions:
    """Return what the server holds; its output begins with the definitions, on one line."""
    definitions = json.loads(rabbitmqctl(module, ["export_definitions", "-"]))
    return {key: definitions.get(key, []) for key in ("users", "vhosts", "permissions")}


def apply(module: AnsibleModule, actions: list[Action]) -> None:
    """Import all definitions in one call, which starts an Erlang machine each time, then run the other commands."""
    definitions = {key: entries for action in actions for key, entries in action.definitions.items()}
    if definitions:
        rabbitmqctl(module, ["import_definitions"], json.dumps(definitions))
    for action in actions:
        if action.arguments:
            rabbitmqctl(module, action.arguments)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "vhost": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "update_password": {"choices": ["always", "on_create"], "default": "always", "no_log": False},
            "absent_users": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    have = exported(module)
    actions = plan(have, module.params, os.urandom(SALT_BYTES))
    if not module.check_mode:
        apply(module, actions)
    texts = [action.text for action in actions]
    module.exit_json(
        changed=bool(actions),
        actions=texts,
        pending=is_pending(have, module.params),
        diff={"prepared": "".join(f"+ {text}\n" for text in texts)},
    )


if __name__ == "__main__":
    main()
