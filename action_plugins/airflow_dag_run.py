"""Trigger a run of a DAG and show its tasks as they go; library/airflow_dag_run.py documents it and does the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from airflow_ops.dag_runs import conf_of, outcome, waits
from airflow_ops.follow import follow

display = Display()


class ActionModule(ActionBase):
    """Call the module until the run has ended or the time is over."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what became of the run; a bad conf is refused before the host is touched."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments, dag_id = dict(self._task.args), self._task.args["dag_id"]
        try:
            arguments["conf"] = conf_of(arguments.get("conf"))
        except ValueError as refusal:
            return {**result, "failed": True, "msg": f"No run was made. {refusal}"}

        limit, said = float(arguments.get("left", 0)), set[str]()

        def call(more: Mapping[str, Any]) -> dict[str, Any]:
            done: dict[str, Any] = self._execute_module(
                module_name="airflow_dag_run", module_args={**arguments, **more}, task_vars=task_vars
            )
            if limit > 0 and waits(done):
                why = self._execute_module(
                    module_name="airflow_waiting",
                    module_args={
                        **{name: arguments[name] for name in ("python", "user", "environment_file")},
                        "dag_id": dag_id,
                        "run_id": done["run_id"],
                    },
                    task_vars=task_vars,
                )
                done["waiting"] = why.get("reasons", [])
                done["lines"] += [reason for reason in done["waiting"] if reason not in said]
                said.update(done["waiting"])
            return done

        done = follow(call, lambda line: display.display(f"{dag_id}: {line}"), limit)
        if done.get("failed") or done.get("unreachable"):
            return {**result, **done}
        fine, sentence = outcome(dag_id, done, limit > 0)
        told = {name: done[name] for name in ("run_id", "state", "tasks", "failures") if done.get(name)}
        return {**result, **told, "changed": True, "failed": not fine, "msg": sentence, "_ansible_verbose_always": True}
