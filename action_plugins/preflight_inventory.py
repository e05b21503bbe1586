"""The inventory's own contradictions, found on the controller; library/preflight_inventory.py documents it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from airflow_ops.inventory_reader import Reader
from airflow_ops.inventory_rules import findings


class ActionModule(ActionBase):
    """Collect the variables of all hosts and fail with every finding at once."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a failure with one message that holds every finding, or success."""
        _, arguments = self.validate_argument_spec(
            {"roles": {"type": "path", "required": True}, "environments": {"type": "int", "default": 1}}
        )
        inventory = Reader(self._loader, Path(arguments["roles"]), task_vars or {}).inventory()
        found = findings(inventory, arguments["environments"])
        result: dict[str, Any] = {**super().run(tmp, task_vars), "changed": False}
        if found:
            result.update(failed=True, msg=message(found), failure="refused")
        return result


def message(found: list[str]) -> str:
    """Return the findings as one text."""
    head = "The inventory has a fault" if len(found) == 1 else f"The inventory has {len(found)} faults"
    return "\n".join([f"{head}; no host was touched.", *(f"- {finding}" for finding in found)])
