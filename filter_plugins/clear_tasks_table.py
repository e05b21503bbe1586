"""Filter clear_tasks_table: the task instances that are or would be cleared, as a table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: clear_tasks_table
short_description: Show task instances as a table
description: Turns the result of the module airflow_clear_tasks into lines with aligned columns.
options:
  _input:
    description: The task instances with C(dag), C(run), C(task) and C(state).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the table
  ansible.builtin.debug:
    msg: "{{ cleared.instances | clear_tasks_table }}"
# DAG       RUN              TASK  STATE
# MAIN_DAG  manual__2026...  load  failed
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence

from airflow_ops.columns import columns

COLUMNS = ("dag", "run", "task", "state")


def table(instances: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the instances as lines below a header."""
    return columns([[name.upper() for name in COLUMNS], *([each[name] for name in COLUMNS] for each in instances)])


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filter by its name."""
        return {"clear_tasks_table": table}
