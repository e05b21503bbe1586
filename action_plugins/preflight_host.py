"""A look at one host, judged on the controller; library/preflight_host.py documents it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from airflow_ops.host_rules import Needs, clock_error, host_findings, needs
from airflow_ops.inventory_reader import Reader

THRESHOLDS = ("home_free_mb", "log_free_mb", "memory_mb", "clock_seconds")


class ActionModule(ActionBase):
    """Look at the host and fail with every finding about it at once."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a failure with one message that holds every finding, or success."""
        _, arguments = self.validate_argument_spec(
            {
                "roles": {"type": "path", "required": True},
                **{name: {"type": "int", "required": True} for name in THRESHOLDS},
            }
        )
        variables = task_vars or {}
        wanted, stack_root = self._needs(arguments, variables)
        result: dict[str, Any] = {**super().run(tmp, task_vars), "changed": False}
        before = time.time()
        looked = self._look(wanted, stack_root, variables)
        if looked.get("failed") or looked.get("unreachable"):
            return looked
        error = clock_error(before, looked["seen"]["time"], time.time())
        found = host_findings(wanted, looked["seen"], error)
        if found:
            result.update(failed=True, msg=message(wanted.host, found))
        return result

    def _needs(self, arguments: dict[str, Any], variables: dict[str, Any]) -> tuple[Needs, str]:
        name = str(variables["inventory_hostname"])
        inventory = Reader(self._loader, Path(arguments["roles"]), variables).inventory([name])
        host = inventory.hosts[name]
        thresholds = {threshold: int(arguments[threshold]) for threshold in THRESHOLDS}
        return needs(inventory.environments()[0], host, thresholds), str(host.variables["airflow_stack_root"])

    def _look(self, wanted: Needs, stack_root: str, variables: dict[str, Any]) -> dict[str, Any]:
        arguments = {
            "python": wanted.python,
            "folders": [wanted.home, wanted.log_folder],
            "stack_root": stack_root,
            "names": list(wanted.names),
            "ports": list(wanted.ports),
        }
        try:
            looked: dict[str, Any] = self._execute_module("preflight_look", arguments, task_vars=variables)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            looked = {"failed": True, "msg": str(error)}
        reason = " ".join(str(looked.get(key, "")) for key in ("msg", "module_stderr", "module_stdout"))
        if looked.get("failed") and "sudo" in reason:
            return {"failed": True, "msg": message(wanted.host, [without_sudo(variables)])}
        return looked


def without_sudo(variables: dict[str, Any]) -> str:
    """Return the finding about an account that is asked for a password."""
    user = variables.get("ansible_user", "the login account")
    return f"{user} cannot use sudo without a password: give it NOPASSWD in /etc/sudoers.d."


def message(host: str, found: list[str]) -> str:
    """Return the findings as one text."""
    head = f"Host {host} has {'a fault' if len(found) == 1 else f'{len(found)} faults'}; nothing was changed."
    return "\n".join([head, *(f"- {finding}" for finding in found)])
