"""Drain a worker and show what it waits for; library/airflow_worker_drain.py documents it and does the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from airflow_ops.follow import follow

display = Display()


class ActionModule(ActionBase):
    """Call the module until the worker has no task or the time is over."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return which tasks still run; say what the worker waits for meanwhile."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)

        def call(more: Mapping[str, Any]) -> dict[str, Any]:
            done: dict[str, Any] = self._execute_module(
                module_name="airflow_worker_drain", module_args={**arguments, **more}, task_vars=task_vars
            )
            return done

        host = (task_vars or {}).get("inventory_hostname", "")
        return {
            **result,
            **follow(call, lambda line: display.display(f"{host}: {line}"), float(arguments.get("left", 600))),
        }
